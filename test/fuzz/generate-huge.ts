/**
 * Runs with huge pages: arenas of a few blocks of 512 pages, and ranges that often end at a block's edge.
 * System memory is ample, so it never fragments; the memory of a driver or of the memory cgroup may be
 * scarce.
 */
import { HUGE_PAGES } from "../model/page.ts";
import { NO_LIMIT, type Op, type Plan } from "./plan.ts";
import type { Random } from "./random.ts";

/** The share of runs with huge pages. */
export const HUGE_SHARE = 0.12;
/** Pages of system memory, and of each device. */
export const HUGE_MEMORY = 32 * HUGE_PAGES;
const STEPS = 120;
const ADVICE = [
  "hugepage",
  "hugepage",
  "hugepage",
  "nohugepage",
  "collapse",
  "collapse",
  "collapse",
  "pageout",
];

export function makeHugePlan(plan: Plan, random: Random): Plan {
  const first = random.chance(0.3) ? HUGE_PAGES - 16 : 0;
  const end = first + random.pick([528, 1024, 1024, 1040]);
  const few = (usual: number): number => (random.chance(0.3) ? random.between(100, 1500) : usual);
  const devices = [few(HUGE_MEMORY), few(HUGE_MEMORY)];
  const charge = few(NO_LIMIT);
  const swap = plan.limits.swap === 0 ? 0 : HUGE_MEMORY;
  const evictSingly = plan.rules.evictSingly || charge !== NO_LIMIT || Math.min(...devices) < HUGE_MEMORY;
  return {
    ...plan,
    huge: true,
    steps: STEPS,
    first,
    end,
    limits: { ...plan.limits, ram: HUGE_MEMORY, devices, charge, swap },
    rules: {
      ...plan.rules,
      piece: random.pick([16, 64, 512, 512, 1024]),
      evictSingly,
      compound: random.chance(0.8) && plan.linux === "7.3",
      largeRam: random.chance(0.8),
      largeDevice: random.chance(0.8),
    },
  };
}

/** The first operations of most runs. */
export function firstHuge({ first, end }: Plan): Op[] {
  return [{ p: 0, op: "madv", args: [first, end - first, "hugepage"] }];
}

/** Steps on a whole block, which ordinary ranges seldom hit. */
const BLOCK_SHARE = 0.3;
const BLOCK_ADVICE = ["pageout", "pageout", "free", "dontneed", "cold", "nohugepage", "hugepage", "willneed"];

/**
 * Returns operations on one or two whole blocks of process p, in order, or none for an ordinary operation.
 * `h` is a device file, `child` an unused process number.
 */
export function blockOps(plan: Plan, random: Random, p: number, h: number, child: number): Op[] {
  if (!random.chance(BLOCK_SHARE)) return [];
  const blocks = wholeBlocks(plan);
  const a = random.pick(blocks);
  const n = random.chance(0.2) && blocks.includes(a + HUGE_PAGES) ? 2 * HUGE_PAGES : HUGE_PAGES;
  const one = (op: string, ...args: (number | string)[]): Op => ({ p, op, args });
  const at = a + random.pick([0, 1, 3, 511, random.below(HUGE_PAGES)]);
  const touch = (): Op =>
    random.weighted([
      [one("w", at, Math.min(random.between(1, 3), plan.end - at), random.below(256)), 5],
      [one("flt", at, random.below(2)), 2],
      [one("memwrite", at, 1, 7), 1],
      [one("dwrite", h, at, 1, 9), 1],
    ]);
  return random.weighted<() => Op[]>([
    [() => [one("mmap", a, n, "rw", "anon"), one("madv", a, n, "hugepage"), touch()], 6],
    [() => [touch(), one("madv", a, n, "collapse")], 4],
    [() => [one("madv", a, n, random.pick(BLOCK_ADVICE))], 3],
    [() => [one("madv", a, n, "dontneed"), touch()], 2],
    [() => [one("mremap", a, n, random.pick(blocks), n, ...(random.chance(0.2) ? ["du"] : []))], 2],
    [() => [touch(), one("fork", child), touch()], 2],
    [() => [one("exit")], 1],
    [() => [one("mprotect", a, n, random.pick(["r", "rw", "none"]))], 1],
    [() => [one(random.pick(["dmig", "dmig", "dsys", "dpeer", "mbeg"]), h, a, n)], 6],
  ])();
}

/** Returns the first pages of the arena's whole blocks. */
function wholeBlocks({ first, end }: Plan): number[] {
  const from = Math.ceil(first / HUGE_PAGES);
  return Array.from({ length: Math.floor(end / HUGE_PAGES) - from }, (_, i) => (from + i) * HUGE_PAGES);
}

/** Returns advice for huge pages, or any advice. */
export function hugeAdvice(random: Random, usual: string): string {
  return random.chance(0.5) ? random.pick(ADVICE) : usual;
}

/** Returns a page near an edge or in the middle of a block. */
export function hugePage({ first, end }: Plan, random: Random): number {
  const block = random.between(Math.floor(first / HUGE_PAGES), Math.floor((end - 1) / HUGE_PAGES));
  const at = block * HUGE_PAGES + random.pick([0, 0, 0, 1, 255, 256, 511, 510, random.below(HUGE_PAGES)]);
  return Math.min(Math.max(at, first), end - 1);
}

/**
 * Returns a length from a: to the edge of its block or the next, or to half of it; 0 for an ordinary length.
 */
export function hugeCount(plan: Plan, random: Random, a: number): number {
  if (random.chance(0.5)) return 0;
  const edge = (Math.floor(a / HUGE_PAGES) + random.pick([1, 1, 1, 2])) * HUGE_PAGES;
  return Math.min(plan.end, random.chance(0.8) ? edge : a + HUGE_PAGES / 2) - a;
}
