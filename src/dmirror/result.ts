/** The answer of a command. */
export interface DmirrorResult {
  /** 0, or a negative errno. */
  ret: number;
  /** How many pages were done, also if the command failed. */
  cpages: number;
  /** How often the device faulted pages in: once for each round, not for each page. */
  faults: number;
  /**
   * The bytes that were read (read, migrateToDevice, exclusive), or a DMIRROR_PROT_* byte for each page
   * (snapshot). Only if ret is 0.
   */
  data?: Uint8Array | undefined;
}

/** @internal Makes the answer of a command that has done nothing. */
export function failure(ret: number): DmirrorResult {
  return { ret, cpages: 0, faults: 0 };
}
