/** The policy `lru` as the core keeps it: replays run at full speed, and the core knows the oldest page. */
import type { HmmDevmem, Mm } from "../index.ts";
import { oldestPage, oldestPages } from "../device/replay.ts";
import { lru } from "./policies/evict/lru.ts";
import type { Evictor, EvictPolicy } from "./policies/evict/evictor.ts";

/** Pages that are looked at if the oldest must stay: more than a cluster has. */
const LOOKED_AT = 17;

/**
 * Returns the policy for a device. The engine must list the pages of `devmem` by their use (trackUse);
 * coming to the device counts as a use.
 * @param slotAt the slot of the unit at an address, -1: none
 */
export function coreLru(mm: Mm, devmem: HmmDevmem, slotAt: (addr: number) => number): EvictPolicy {
  const evictor: Evictor = {
    arrived() {},
    used() {},
    left() {},
    victim(_incoming, skip) {
      const oldest = oldestPage(mm, devmem);
      const slot = oldest < 0 ? -1 : slotAt(oldest);
      if (slot >= 0 && !skip(slot)) return slot;
      const slots = oldestPages(mm, devmem, LOOKED_AT).map(slotAt);
      return slots.find((slot) => slot >= 0 && !skip(slot)) ?? -1;
    },
    state: () => null,
  };
  return { about: lru.about, uses: "none", create: () => evictor };
}
