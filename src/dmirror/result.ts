/** What a command answers. */
export interface DmirrorResult {
  /** 0, or a negative errno. */
  ret: number;
  /** Pages done, also by a command that failed. */
  cpages: number;
  /** How often the device had to have pages faulted in: once a round, not once a page. */
  faults: number;
  /**
   * What was read (read, migrateToDevice, exclusive) or a DMIRROR_PROT_* byte a page (snapshot). Only if ret
   * is 0.
   */
  data?: Uint8Array;
}

/** The answer of a command that has done nothing. */
export function failure(ret: number): DmirrorResult {
  return { ret, cpages: 0, faults: 0 };
}
