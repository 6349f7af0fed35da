/** What a driver that does everything wrong picks: pages and words that mean something, mostly. */
import * as api from "../../src/index.ts";
import type { Random } from "./random.ts";

/** The arena of every process. */
export const BASE = 0x40000000;
/** The pages of the arena that are used: around the borders of two blocks of 2 MiB. */
export const SPOTS = [0, 1, 2, 3, 4, 5, 6, 7, 509, 510, 511, 512, 513, 514, 1022, 1023];

/** A pfn: of an entry, of a word of an open migration, of a device, or any. */
export function pickPfn(
  random: Random,
  mms: readonly api.Mm[],
  migrations: readonly api.Migration[],
  devmems: readonly api.HmmDevmem[],
): number {
  const mm = random.pick(mms);
  const choice = random.below(8);
  if (choice < 3 && !mm.closed) {
    const pfns = SPOTS.map((spot) => mm.lookupPte(BASE + spot * api.PAGE_SIZE)?.pfn ?? 0);
    const mapped = pfns.filter((pfn) => pfn > 1);
    if (mapped.length > 0) return random.pick(mapped);
  }
  const open = migrations.filter((m) => !m.closed);
  if (choice < 6 && open.length > 0) {
    const m = random.pick(open);
    const pages = [...(random.chance(0.5) ? m.src : m.dst)]
      .map(api.migratePfnToPage)
      .filter((page) => page > 0);
    if (pages.length > 0) return random.pick(pages);
  }
  return choice === 6 ? random.pick(devmems).pfnFirst + random.below(40) : random.below(2048);
}

/** A word of src or dst, right or wrong. */
export function pickWord(random: Random, m: api.Migration, pfn: number): number {
  const { MIGRATE_PFN_VALID, MIGRATE_PFN_MIGRATE, MIGRATE_PFN_COMPOUND, MIGRATE_PFN_ERROR } = api;
  const words = random.chance(0.5) ? m.src : m.dst;
  const word = words[random.below(m.npages)];
  switch (random.below(6)) {
    case 0:
      return 0;
    case 1:
      return random.bits();
    case 2: {
      const flags = [MIGRATE_PFN_VALID, MIGRATE_PFN_MIGRATE, MIGRATE_PFN_COMPOUND, MIGRATE_PFN_ERROR];
      return (word ^ random.pick(flags)) >>> 0;
    }
    case 3:
      return (word ^ (1 << random.below(10))) >>> 0;
    case 4:
      return (MIGRATE_PFN_VALID | pfn) >>> 0;
  }
  return word;
}
