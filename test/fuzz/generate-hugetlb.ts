/** Plans of runs with hugetlb mappings. */
import type { LinuxVersion } from "../../src/index.ts";
import { MEMORY_MAX, NO_LIMIT, PROCESSES_MAX, type Plan } from "./plan.ts";
import type { Random } from "./random.ts";

/** Runs with hugetlb mappings have large arenas, so they are few and short. */
export const HUGETLB_SHARE = 0.05;
const HUGETLB_STEPS = 60;
const HUGETLB_ARENA = 3 * 512;
/**
 * Other mappings in these runs are too small for a huge page: where one fits, changes of mappings are events.
 */
export const SMALL = 40;

/**
 * Returns a plan with hugetlb mappings: an arena of several blocks, and a pool with fewer than processes may
 * want.
 */
export function makeHugetlbPlan(seed: number, linux: LinuxVersion, random: Random): Plan {
  return {
    seed,
    linux,
    steps: HUGETLB_STEPS,
    first: 0,
    end: HUGETLB_ARENA,
    limits: {
      ram: 2 * MEMORY_MAX * PROCESSES_MAX,
      devices: [MEMORY_MAX, MEMORY_MAX],
      coherent: [false, false],
      charge: NO_LIMIT,
      swap: random.chance(0.5) ? 0 : MEMORY_MAX,
      hugetlb: random.between(1, 5),
    },
    rules: {
      piece: random.pick([64, 16]),
      cluster: 1,
      exact: true,
      evictOnClose: random.chance(0.5),
      evictSingly: true,
      compound: false,
      largeRam: false,
      largeDevice: false,
    },
  };
}
