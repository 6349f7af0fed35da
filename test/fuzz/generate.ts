/**
 * Random runs. Each has its own plan (arena, memory, rules of the drivers), switches some operations off, and
 * touches a few hot pages more often than others, since collisions find mistakes.
 */
import { fileArgs, mappedArgs } from "./generate-files.ts";
import { blockOps, firstHuge, hugeAdvice, hugeCount, hugePage } from "./generate-huge.ts";
import { SMALL } from "./generate-hugetlb.ts";
import { firstSized, folioOps, sizeArgs, sizedAdvice } from "./generate-sized.ts";
import { DEVICE_OPS, NO_LIMIT, type Op, type Plan } from "./plan.ts";
import type { Random } from "./random.ts";
import { applies, type View } from "./view.ts";
import { chooseWeights } from "./weights.ts";

const PROTECTIONS = ["rw", "rw", "rw", "rw", "rw", "rw", "r", "r", "none", "rwx", "w", "rx", "x"];
const ADVICE = [
  "dontneed",
  "dontneed",
  "free",
  "cold",
  "willneed",
  "remove",
  "populate_read",
  "populate_write",
  "dontfork",
  "dofork",
  "wipeonfork",
  "keeponfork",
  ...Array<string>(8).fill("pageout"),
  ...Array<string>(8).fill("mergeable"),
  "unmergeable",
  "unmergeable",
  "normal",
  "random",
  "sequential",
];
/** Offsets in a page at which small writes begin; see SAMPLES. */
const OFFSETS = [0, 1, 3, 2047, 4095];
const WORD_OFFSETS = [0, 4092, 2044];

/** Makes the n-th allocation of the next operation fail. */
export function failingAllocation(random: Random): Op {
  return { p: 0, op: "fail", args: [random.between(1, random.pick([2, 5, 20]))] };
}

/** Generates the operations of one run, each for the state of the model after the operations before. */
export class Generator {
  private readonly weights: (readonly [string, number])[];
  private readonly hot: number[];
  private numbers = 2;
  /** Operations of a group that are still to come. */
  private due: Op[] = [];

  constructor(
    private readonly plan: Plan,
    private readonly random: Random,
    private readonly view: View,
  ) {
    this.weights = chooseWeights(random, plan.huge === true || plan.sized === true);
    this.hot = Array.from({ length: 3 }, () =>
      plan.huge ? hugePage(plan, random) : random.between(plan.first, plan.end - 1),
    );
  }

  /** The first operations of most runs, which make mappings. */
  first(): Op[] {
    const { first, end, huge, limits } = this.plan;
    if (limits.hugetlb > 0) return [{ p: 0, op: "mmap", args: [first, 512, "rw", "huge"] }];
    const mmap = { p: 0, op: "mmap", args: [first, end - first, "rw", "anon"] };
    const sizes = this.plan.sized ? firstSized(this.plan, this.random) : [];
    return [mmap, ...(huge ? firstHuge(this.plan) : []), ...sizes];
  }

  next(): Op {
    const { huge, sized } = this.plan;
    if (huge || sized) {
      const p = this.random.pick(this.view.processes());
      const ops = huge && (!sized || this.random.chance(0.5)) ? blockOps : folioOps;
      if (this.due.length === 0) this.due = ops(this.plan, this.random, p, this.handle(p), this.numbers++);
      for (let op = this.due.shift(); op; op = this.due.shift()) if (applies(this.view, op)) return op;
    }
    for (;;) {
      const op = this.random.weighted(this.weights);
      const p = this.random.pick(this.view.processes());
      const made = { p, op, args: this.args(op, p) };
      if (applies(this.view, made)) return made;
    }
  }

  // --- where -----------------------------------------------------------------------------------

  private page(p: number): number {
    const { random, plan } = this;
    const near = (at: number): number =>
      Math.min(Math.max(at + random.between(-1, 1), plan.first), plan.end - 1);
    if (random.chance(0.5)) return near(random.pick(this.hot));
    const vmas = this.view.mappings(p);
    if (vmas.length > 0 && random.chance(0.6)) {
      const { start, end } = random.pick(vmas);
      if (random.chance(0.5))
        return Math.min(Math.max(random.between(start, end - 1), plan.first), plan.end - 1);
      return near(random.chance(0.5) ? start : end);
    }
    return random.between(plan.first, plan.end - 1);
  }

  /** Returns a length from a: at least `min`, within the arena. */
  private count(a: number, min = 0): number {
    const { random, plan } = this;
    const most = plan.end - a;
    if (random.chance(0.01)) return min;
    const huge = plan.huge ? hugeCount(plan, random, a) : 0;
    if (huge) return huge;
    if (random.chance(0.35)) return Math.min(1, most);
    if (random.chance(0.6)) return Math.min(random.between(2, 4), most);
    return random.chance(0.3) ? most : random.between(1, most);
  }

  private range(p: number, min = 0): [number, number] {
    if (this.plan.limits.hugetlb > 0 && this.random.chance(0.5)) return this.blocks();
    const a = this.page(p);
    const n = this.count(a, min);
    const within = this.random.chance(0.75) ? this.mapping(p, a) : undefined;
    return [a, within ? Math.min(n, within.end - a) : n];
  }

  /** Returns a range of whole blocks of a hugetlb mapping. */
  private blocks(): [number, number] {
    const last = this.plan.end / 512 - 1;
    const first = this.random.between(0, last);
    return [first * 512, this.random.between(1, last - first + 1) * 512];
  }

  private mapping(p: number, page: number): { start: number; end: number } | undefined {
    return this.view.mappings(p).find(({ start, end }) => start <= page && page < end);
  }

  private handle(p: number): number {
    const orphansToo = this.random.chance(0.1);
    const held = [...this.view.handles()].filter(
      ([, { holders, mirrored }]) => holders.has(p) && (orphansToo || mirrored >= 0),
    );
    return held.length > 0 ? this.random.pick(held)[0] : -1;
  }

  /** Returns a device file and pages of the process that it mirrors. */
  private deviceRange(p: number): number[] {
    const h = this.handle(p);
    const mirrored = this.view.handles().get(h)?.mirrored ?? -1;
    return [h, ...this.range(mirrored < 0 ? p : mirrored)];
  }

  // --- what ------------------------------------------------------------------------------------

  private args(op: string, p: number): (number | string)[] {
    const value = this.value();
    if (DEVICE_OPS.has(op)) return this.deviceArgs(op, p, value);
    return this.memoryArgs(op, p, value) ?? this.systemArgs(op, value);
  }

  /** Returns a value to write, often an earlier value, so that pages may be identical. */
  private value(): number {
    return this.random.chance(0.6) ? this.random.below(3) : this.random.between(0, 255);
  }

  /** Returns a device file and usually a range. */
  private deviceArgs(op: string, p: number, value: number): (number | string)[] {
    if (["close", "drel", "ebeg", "mend", "mirror", "unmirror", "vend"].includes(op)) return [this.handle(p)];
    if (op === "vlook" || op === "vbeg") return [...this.deviceRange(p), this.random.below(3)];
    return op === "dwrite" ? [...this.deviceRange(p), value] : this.deviceRange(p);
  }

  /** Operations on memory and mappings. */
  private memoryArgs(op: string, p: number, value: number): (number | string)[] | undefined {
    const { random } = this;
    switch (op) {
      case "mmap":
        return this.mapArgs(p);
      case "mprotect":
        return [...this.range(p), random.pick(PROTECTIONS)];
      case "madv":
        return [...this.range(p), this.advice()];
      case "mremap":
        return this.moveArgs(p);
      case "mresize":
        return this.resizeArgs(p);
      case "w":
      case "sysr":
      case "memwrite":
        return [...this.range(p), value];
      case "wb":
        return [this.page(p), random.pick(OFFSETS), value];
      case "lw":
      case "sw":
        return [this.page(p), random.pick(WORD_OFFSETS), random.bits()];
      case "rr":
      case "ww":
        return this.spanArgs(p, value);
      case "pin":
        return [...this.range(p, 1), random.chance(0.3) ? 1 : 0, random.chance(0.4) ? 1 : 0];
      case "r":
      case "sysw":
      case "memread":
      case "munmap":
      case "mlock":
      case "munlock":
      case "mincore":
      case "uffd":
      case "unuffd":
      case "mram":
      case "tr":
        return this.range(p);
      case "msync":
        return random.chance(0.5) ? [this.plan.first, this.plan.end - this.plan.first] : this.range(p);
      case "flt":
        return [this.page(p), random.below(2)];
      default:
        return undefined;
    }
  }

  /** Returns the kind of a mapping; in runs with huge pages, mostly anonymous memory. */
  private mapped(): (number | string)[] {
    const mapped = mappedArgs(this.random, this.view);
    return this.plan.huge && this.random.chance(0.8) ? ["anon"] : mapped;
  }

  private advice(): string {
    const usual = this.random.pick(ADVICE);
    if (this.plan.huge) return hugeAdvice(this.random, usual);
    return this.plan.sized ? sizedAdvice(this.random, usual) : usual;
  }

  /** Processes, files, and settings of the whole system. */
  private systemArgs(op: string, value: number): (number | string)[] {
    const { random } = this;
    switch (op) {
      case "fork":
        return [this.numbers++];
      case "open":
        return [this.numbers++, random.below(2)];
      case "file":
      case "fr":
      case "fw":
      case "ft":
      case "fp":
      case "fc":
        return fileArgs(random, op, value);
      case "ksm":
        return [random.pick([0, 1, 2, 2, 3, 3, 12])];
      case "mthp":
        return sizeArgs(this.plan, random);
      case "fa":
        return [random.pick([1, 1, 2, 4, 16, 16, 512])];
      case "limit":
        return [random.pick([this.plan.limits.charge, NO_LIMIT, random.between(0, 40)])];
      default:
        return [];
    }
  }

  /** mmap a n protection kind …: with a pool, mostly hugetlb. */
  private mapArgs(p: number): (number | string)[] {
    const { random, plan } = this;
    const protection = random.pick(PROTECTIONS);
    const small = this.mapped();
    if (plan.limits.hugetlb === 0) return [...this.range(p), protection, ...small];
    if (random.chance(0.3)) return [this.page(p), random.between(1, SMALL), protection, ...small];
    return [...this.range(p), protection, "huge", ...(random.chance(0.1) ? ["populate"] : [])];
  }

  /** mremap a n b m: mostly whole mappings, equal lengths, and no overlap. */
  private moveArgs(p: number): (number | string)[] {
    const { random, plan } = this;
    const vma = this.mapping(p, this.page(p));
    const [a, n] = vma && random.chance(0.4) ? [vma.start, vma.end - vma.start] : this.range(p);
    const [b] = plan.limits.hugetlb > 0 && random.chance(0.6) ? this.blocks() : [this.page(p)];
    const most = plan.end - b;
    const m = random.chance(0.6) || plan.limits.hugetlb > 0 ? Math.min(n, most) : this.count(b);
    return random.chance(0.25) ? [a, n, b, m, "du"] : [a, n, b, m];
  }

  /** mresize a n m, mostly the end of a mapping. */
  private resizeArgs(p: number): number[] {
    const { random, plan } = this;
    const a = this.page(p);
    const vma = this.mapping(p, a);
    const n = vma && random.chance(0.7) ? vma.end - a : this.count(a);
    const most = plan.limits.hugetlb > 0 ? Math.min(n + SMALL, plan.end - a) : plan.end - a;
    return [a, n, random.between(random.chance(0.05) ? 0 : 1, most)];
  }

  /** Page, offset and length of an access that may cross pages. */
  private spanArgs(p: number, value: number): number[] {
    const { random, plan } = this;
    const a = this.page(p);
    const offset = random.pick(OFFSETS);
    const end = random.between(a, Math.min(a + 3, plan.end - 1)) * 4096 + random.pick([1, 2, 4, 2048, 4096]);
    const length = end - a * 4096 - offset;
    return [a, offset, length > 0 ? length : 1, value];
  }
}
