/**
 * Runs with folios of 16 KiB to 1 MiB, which only 7.3 has. System memory is ample, so it never fragments, and
 * swap space is one block of slots, so that their order is known; the memory of a driver or of the memory
 * cgroup may be scarce.
 */
import type { Op, Plan } from "./plan.ts";
import type { Random } from "./random.ts";

/** The share of runs with such folios among those without huge pages, and among those with. */
export const SIZED_SHARE = 0.3;
export const SIZED_HUGE_SHARE = 0.4;
const SWAP = 512;
/** Pages of system memory, many times the arena's. */
const RAM = 4096;
const MODES = ["always", "always", "madvise", "never"];
/** Sizes in KiB; arenas are small, so most of them are, too. */
const SIZES = [16, 16, 16, 32, 32, 64, 64, 128, 256];
const LARGE_SIZES = [512, 1024, 2048];

export function makeSizedPlan(plan: Plan, random: Random): Plan {
  const size = random.pick([16, 24, 32, 64, 64, 128]);
  const first = random.chance(0.4) ? 512 - random.between(1, size - 1) : 0;
  const most = plan.huge ? plan.end : first + size;
  return {
    ...plan,
    sized: true,
    first: plan.huge ? plan.first : first,
    end: most,
    limits: {
      ...plan.limits,
      ram: plan.huge ? plan.limits.ram : RAM,
      swap: plan.limits.swap === 0 ? 0 : SWAP,
    },
  };
}

/** hmm.setHugepages: a size in KiB and a mode. */
export function sizeArgs(plan: Plan, random: Random): (number | string)[] {
  if (!plan.sized) return [2048, random.pick(MODES)];
  const sizes = random.chance(plan.huge ? 0.4 : 0.1) ? LARGE_SIZES : SIZES;
  return [random.pick(sizes), random.pick(MODES)];
}

/** The first operations of most runs: some sizes are enabled, some only for advised mappings. */
export function firstSized(plan: Plan, random: Random): Op[] {
  const some = Array.from({ length: random.between(1, 3) }, (): Op => ({
    p: 0,
    op: "mthp",
    args: sizeArgs(plan, random),
  }));
  const advice = { p: 0, op: "madv", args: [plan.first, plan.end - plan.first, "hugepage"] };
  return random.chance(0.5) ? [...some, advice] : some;
}

/** Steps on a whole folio, which ordinary ranges seldom hit. */
const FOLIO_SHARE = 0.4;

/**
 * Returns operations on an aligned range of process p, in order, or none for an ordinary operation. `h` is a
 * device file, `child` an unused process number.
 */
export function folioOps(plan: Plan, random: Random, p: number, h: number, child: number): Op[] {
  if (!random.chance(FOLIO_SHARE)) return [];
  const size = random.pick([4, 4, 8, 8, 16, 16, 32, 64]);
  const blocks = Math.floor(plan.end / size) - Math.ceil(plan.first / size);
  if (blocks < 1) return [];
  const a = (Math.ceil(plan.first / size) + random.below(blocks)) * size;
  const some = random.between(1, size - 1);
  const at = a + random.below(size);
  const one = (op: string, ...args: (number | string)[]): Op => ({ p, op, args });
  const touch = (): Op =>
    random.weighted([
      [one("w", at, 1, random.below(3)), 6],
      [one("r", at, 1), 2],
      [one("memwrite", at, 1, 7), 1],
      [one("dwrite", h, at, 1, 9), 2],
    ]);
  const fresh = (): Op[] => [
    one("mmap", a, size, random.pick(["rw", "rw", "rwx"]), "anon"),
    one("madv", a, size, "hugepage"),
    touch(),
  ];
  const out = (): Op => one("madv", a, random.chance(0.8) ? size : some, "pageout");
  return random.weighted<() => Op[]>([
    [() => [one("mthp", size * 4, "always"), ...fresh()], 5],
    [fresh, 6],
    [() => [one("madv", a, size, "dontneed"), touch()], 4],
    [() => [out(), touch()], 6],
    [() => [...fresh(), out(), one("fork", child), touch(), { p: child, op: "r", args: [at, 1] }], 2],
    [() => [one("madv", a, size, "free"), ...(random.chance(0.3) ? [touch()] : []), out()], 2],
    [() => [touch(), one("fork", child), touch()], 3],
    [() => [one("exit")], 2],
    [() => [one("pin", at, 1, 1, random.below(2)), one("dmig", h, a, size), one("unpin")], 1],
    [() => [one("dexcl", h, at, 1), one("dmig", h, a, size)], 2],
    [() => [one("madv", a, size, "mergeable"), one("ksm", 3)], 2],
    [() => [one("mprotect", a, some, random.pick(["r", "rw", "none"]))], 2],
    [() => [one("munmap", a, some)], 1],
    [() => [one("madv", a, some, random.pick(["dontneed", "free", "cold", "pageout"]))], 2],
    [() => [one("mremap", a, size, random.between(plan.first, plan.end - size), size)], 2],
    [() => [one(random.pick(["dmig", "dmig", "mbeg"]), h, a, random.chance(0.5) ? size : some)], 3],
  ])();
}

/** Returns advice for folios, or any advice. */
export function sizedAdvice(random: Random, usual: string): string {
  return random.chance(0.3)
    ? random.pick(["hugepage", "hugepage", "nohugepage", "pageout", "pageout", "free"])
    : usual;
}
