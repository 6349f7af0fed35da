/** Prefetchers that look at one fault, for the services of the managed driver, which look at a block. */
import { hasBit, nextBit, removeBits, setBit } from "../driver/bits.ts";
import type { Prefetcher } from "./density.ts";
import type { PrefetchPolicy } from "./prefetch/prefetcher.ts";

/**
 * Returns the prefetcher that asks a policy for each faulted page of a block, ascending, that an earlier one
 * has not brought along. What faulted or came along before counts as there. Nothing comes from outside of
 * the block; thrashing pages stay.
 * @param parameter the number after the policy's name; undefined if there is none
 */
export function prefetcherByFault(policy: PrefetchPolicy, parameter: number | undefined): Prefetcher {
  return ({ pages, resident, faulted, thrashing, done }, out) => {
    const there = resident.slice();
    for (let page = nextBit(faulted, 0); page < pages; page = nextBit(faulted, page + 1)) {
      if (hasBit(out, page) || hasBit(thrashing, page)) continue;
      setBit(there, page);
      const isThere = (other: number): boolean => hasBit(there, other);
      for (const other of policy.pages({ page, first: 0, end: pages, isThere }, parameter)) {
        if (other < 0 || other >= pages || isThere(other)) continue;
        setBit(out, other);
        setBit(there, other);
      }
    }
    for (const bits of [faulted, thrashing, done]) removeBits(out, bits);
  };
}
