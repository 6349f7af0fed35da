/** The frequency of each operation in a run. */
import type { Random } from "./random.ts";

/** Usual weights of the operations. */
export const WEIGHTS: readonly (readonly [op: string, weight: number])[] = [
  ["mmap", 6],
  ["munmap", 4],
  ["mprotect", 8],
  ["madv", 12],
  ["mremap", 5],
  ["mresize", 3],
  ["mlock", 3],
  ["munlock", 2],
  ["mincore", 1],
  ["r", 6],
  ["w", 10],
  ["wb", 3],
  ["lw", 1],
  ["sw", 1],
  ["rr", 2],
  ["ww", 2],
  ["sysw", 2],
  ["sysr", 2],
  ["memread", 2],
  ["memwrite", 3],
  ["pin", 3],
  ["unpin", 3],
  ["fork", 5],
  ["exit", 3],
  ["open", 2],
  ["close", 1],
  ["dread", 8],
  ["dwrite", 8],
  ["dmig", 12],
  ["dsys", 4],
  ["dsnap", 1],
  ["drel", 1],
  ["mbeg", 3],
  ["sbeg", 2],
  ["ebeg", 2],
  ["mend", 5],
  ["dexcl", 5],
  ["dchk", 1],
  ["file", 3],
  ["fr", 2],
  ["fw", 4],
  ["ft", 2],
  ["fp", 2],
  ["fc", 1],
  ["fa", 1],
  ["msync", 5],
  ["swapon", 1],
  ["swapoff", 1],
  ["limit", 1],
  ["ksm", 6],
  ["uffd", 2],
  ["unuffd", 1],
  ["dpeer", 3],
  ["mirror", 3],
  ["unmirror", 1],
  ["vlook", 4],
  ["vbeg", 2],
  ["vend", 4],
  ["vmig", 4],
  ["mram", 4],
  ["tr", 1],
  ["flt", 4],
  ["reboot", 1],
  ["mthp", 2],
];
/** The share of runs with snapshots: a snapshot takes as long as a hundred other operations. */
const REBOOT_SHARE = 0.1;
/** Groups of operations that some runs leave out: with fewer operations, the others meet more often. */
const GROUPS: readonly (readonly [share: number, ops: readonly string[]])[] = [
  [0.4, ["file", "fr", "fw", "ft", "fp", "fc", "fa", "msync"]],
  [0.4, ["dexcl", "dchk"]],
  [0.5, ["swapon", "swapoff"]],
  [0.4, ["ksm"]],
  [0.4, ["uffd", "unuffd"]],
  [0.8, ["limit"]],
  [0.5, ["mirror", "unmirror", "vlook", "vbeg", "vend"]],
  [0.5, ["vmig", "mram", "dpeer"]],
];
/** The share of runs in which migrations stay open: an open migration blocks many other operations. */
const OPEN_SHARE = 0.4;

/** Operations that are never switched off, since the others depend on them. */
const ALWAYS = new Set(["w", "mmap", "mend"]);

/**
 * Returns the weights of one run, with `sizes` that of hmm.setHugepages, too. Some operations never run and
 * some often, since collisions find mistakes.
 */
export function chooseWeights(random: Random, sizes: boolean): (readonly [op: string, weight: number])[] {
  const open = random.chance(OPEN_SHARE);
  const reboots = random.chance(REBOOT_SHARE);
  const usual = WEIGHTS.filter(([op]) => sizes || op !== "mthp");
  const wanted = usual.filter(([op]) => (op === "reboot" ? reboots : open || !/^(.beg|mend)$/.test(op)));
  const without = new Set(GROUPS.flatMap(([share, ops]) => (random.chance(share) ? ops : [])));
  const kept = wanted.filter(([op]) => ALWAYS.has(op) || (!without.has(op) && !random.chance(0.3)));
  return kept.map(([op, weight]) => [op, random.chance(0.2) ? weight * 4 : weight] as const);
}
