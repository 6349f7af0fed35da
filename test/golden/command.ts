/** What device commands have in common. */

/** Pages that the driver faults, snapshots, migrates or lends at a time. */
export const PIECE = 64;

/** What a device command answers. */
export interface CommandResult {
  ret: number;
  cpages: number;
  faults: number;
  /** The buffer of a command that succeeded. */
  bytes?: Uint8Array;
}

/** The answer of a command that has done nothing. */
export function failure(ret: number): CommandResult {
  return { ret, cpages: 0, faults: 0 };
}
