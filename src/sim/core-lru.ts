/** The policy `lru` as the core keeps it: replays run at full speed, and the core knows the oldest page. */
import type { HmmDevmem, Mm } from "../index.ts";
import { oldestPages } from "../device/replay.ts";
import { lru } from "./policies/evict/lru.ts";
import type { Evictor, EvictPolicy } from "./policies/evict/evictor.ts";

/** Pages that are looked at if the oldest must stay: more than a cluster has. */
const LOOKED_AT = 17;

/**
 * Returns the policy for a device. The engine must list the pages of `devmem` by their use (trackUse);
 * coming to the device counts as a use.
 * @param slotAt the slot of the unit at an address
 */
export function coreLru(
  mm: Mm,
  devmem: HmmDevmem,
  slotAt: (addr: number) => number | undefined,
): EvictPolicy {
  const evictor: Evictor = {
    arrived() {},
    used() {},
    left() {},
    victim(_incoming, skip) {
      const find = (n: number): number | undefined =>
        oldestPages(mm, devmem, n)
          .map(slotAt)
          .find((slot) => slot !== undefined && !skip(slot));
      return find(1) ?? find(LOOKED_AT) ?? -1;
    },
    state: () => null,
  };
  return { about: lru.about, uses: "none", create: () => evictor };
}
