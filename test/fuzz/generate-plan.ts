/** The plans of runs: arena, memory, rules of the drivers. */
import { HUGE_SHARE, makeHugePlan } from "./generate-huge.ts";
import { HUGETLB_SHARE, makeHugetlbPlan } from "./generate-hugetlb.ts";
import { makeSizedPlan, SIZED_HUGE_SHARE, SIZED_SHARE } from "./generate-sized.ts";
import { MEMORY_MAX, NO_LIMIT, type Plan } from "./plan.ts";
import type { LinuxVersion } from "../../src/index.ts";
import { Random } from "./random.ts";

const STEPS = 250;
/** Makes the choice of sizes independent of the others, so that a run without them stays what it was. */
const SIZED_SALT = 0x51ed;

/** The kernel of a run: every second seed has the newer one. */
export const linuxOf = (seed: number): LinuxVersion => (seed % 2 === 0 ? "6.12" : "7.3");

export function makePlan(seed: number, linux: LinuxVersion, random: Random): Plan {
  if (random.chance(HUGETLB_SHARE)) return makeHugetlbPlan(seed, linux, random);
  const small = makeSmallPlan(seed, linux, random);
  const plan = random.chance(HUGE_SHARE) ? makeHugePlan(small, random) : small;
  const share = plan.huge ? SIZED_HUGE_SHARE : SIZED_SHARE;
  const sized = linux === "7.3" && new Random(seed + SIZED_SALT).chance(share);
  return sized ? makeSizedPlan(plan, random) : plan;
}

function makeSmallPlan(seed: number, linux: LinuxVersion, random: Random): Plan {
  const size = random.pick([6, 8, 12, 16, 16, 24, 32, 64]);
  const first = random.chance(0.4) ? 512 - random.between(1, size - 1) : 0;
  const scarce = random.chance(0.5);
  const few = (most: number, usual: number): number =>
    scarce && random.chance(0.5) ? random.between(3, most) : usual;
  return {
    seed,
    linux,
    steps: STEPS,
    first,
    end: first + size,
    limits: {
      ram: few(size * 2, MEMORY_MAX),
      devices: [few(size, MEMORY_MAX), few(size, MEMORY_MAX)],
      coherent: [random.chance(0.25), random.chance(0.25)],
      charge: few(size * 2, NO_LIMIT),
      swap: random.chance(0.4) ? 0 : random.chance(0.3) ? random.between(1, 4) : MEMORY_MAX,
      hugetlb: 0,
    },
    rules: {
      piece: random.pick([64, 64, 16, 4, 1]),
      cluster: random.pick([1, 1, 4, 16]),
      exact: true,
      evictOnClose: random.chance(0.5),
      // With scarce memory, the order decides which pages find room.
      evictSingly: scarce || random.chance(0.5),
      compound: false,
      largeRam: false,
      largeDevice: false,
    },
  };
}

/** Returns a plan for a run with full tables and failing allocations. */
export function makeExhaustPlan(seed: number, linux: LinuxVersion, random: Random): Plan {
  const plan = makeSmallPlan(seed, linux, random);
  const few = (min: number, max: number): number => random.between(min, random.chance(0.5) ? max : min * 2);
  const capacities = {
    mms: few(2, 5),
    vmas: few(4, 60),
    anonVmas: few(4, 60),
    anonVmaLinks: few(6, 300),
    pageTables: few(9, 40),
    notifiers: few(2, 8),
    migrations: few(1, 6),
    deviceTables: few(2, 8),
    files: few(1, 6),
    ksmPages: few(1, 8),
    ksmAddresses: few(1, 60),
  };
  return { ...plan, capacities, arena: few(8192, 16384) };
}
