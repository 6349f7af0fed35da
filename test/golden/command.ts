/** Types of device commands, and what the drivers of the two kernels do differently. */

/** How a kernel's test driver goes about its commands. */
export interface DriverRules {
  /** Pages that it faults or snapshots at a time. */
  readonly piece: number;
  /** Pages that it migrates at a time. */
  readonly migratePiece: number;
  /** Whether migrations ask for huge pages, and enter what had no writable page read-only in the table. */
  readonly huge: boolean;
  /** Whether exclusive access goes page by page instead of piece by piece. */
  readonly exclusiveByPage: boolean;
}

/** The driver of Linux 6.12. */
export const DRIVER_6_12: DriverRules = { piece: 64, migratePiece: 64, huge: false, exclusiveByPage: false };
/** The driver of Linux 7.3. */
export const DRIVER_7_3: DriverRules = { piece: 32, migratePiece: 512, huge: true, exclusiveByPage: true };
/** A driver on Linux 7.3 that behaves as that of 6.12 where the kernel lets it. */
export const DRIVER_OLD: DriverRules = { ...DRIVER_6_12, exclusiveByPage: true };

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
