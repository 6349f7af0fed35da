/** The interface of prefetchers: what comes to the device along with a page that faulted. */

/**
 * A fault, and what the prefetcher may know. Pages are numbered by their address: page n begins at byte 4096
 * n.
 */
export interface Fault {
  page: number;
  /** The pages of the mapping around it: `first` to before `end`. */
  first: number;
  end: number;
  /** Tells whether a page is in the device's memory. */
  isThere: (page: number) => boolean;
}

/** A prefetcher. */
export interface PrefetchPolicy {
  /** What comes along, in one clause. */
  readonly about: string;
  /** The number that follows the policy's name after a colon: what it says, and its bounds. */
  readonly parameter?: { readonly about: string; readonly min: number; readonly max: number };
  /**
   * Returns the pages to bring besides the one that faulted, in ascending order. Pages outside the mapping,
   * and pages that are there, are left out by the caller.
   * @param parameter the number after the policy's name; undefined if there is none
   */
  readonly pages: (fault: Fault, parameter: number | undefined) => number[];
}

/** Returns n numbers from `first` on. */
export function run(first: number, n: number): number[] {
  return Array.from({ length: n }, (_, i) => first + i);
}
