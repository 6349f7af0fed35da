/** Types of device commands. */

/** Pages that the driver faults, snapshots, migrates or takes exclusively at a time. */
export const PIECE = 64;

/** The answer of a device command. */
export interface CommandResult {
  ret: number;
  cpages: number;
  faults: number;
  /** The buffer of a successful command. */
  bytes?: Uint8Array;
}

/** Returns the answer of a command that did nothing. */
export function failure(ret: number): CommandResult {
  return { ret, cpages: 0, faults: 0 };
}
