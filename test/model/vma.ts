/**
 * Mappings of one process: a sorted list of vmas that split, merge and share anon_vmas the way Linux's do.
 *
 * An anon_vma collects the vmas that may map the pages first touched in it. A vma's chain lists every
 * anon_vma it is linked to: its own, and after a fork those of its ancestors.
 */
import { RWX, W } from "./page.ts";
import type { ModelFile } from "./file.ts";
import { splitAtEdge } from "./huge.ts";
import type { Mm } from "./mm.ts";

export const LOCKED = 8;
export const DONTFORK = 16;
export const WIPEONFORK = 32;
/** Committed memory: mappings that are or were writable. It only matters for merging. */
export const ACCOUNT = 64;
export const SHARED = 128;
/** userfaultfd: an access to missing memory is a signal. */
export const UFFD = 256;
/** A driver's mapping: of pages, or of memory without pages. */
export const MIXED = 512;
export const PFN = 1024;
/** Blocks of 512 pages (hugetlb.ts). */
export const HUGETLB = 16384;
export const SPECIAL = MIXED | PFN | HUGETLB;
/** The expected order of reads. It only matters for merging. */
export const SEQUENTIAL = 2048;
export const RANDOM = 4096;
/** Advice for or against huge pages. */
export const HUGE = 8192;
export const NOHUGE = 65536;
/** KSM may merge its pages. */
export const MERGEABLE = 32768;

let stamp = 0;

export class AnonVma {
  children = 0;
  active = 0;
  /** The vmas linked here, with the moment of their (last) insertion. */
  readonly links = new Map<Vma, number>();
  readonly parent: AnonVma;

  constructor(parent?: AnonVma) {
    this.parent = parent ?? this;
    this.parent.children++;
  }

  /** Returns the vmas that cover page offset `index`, by first offset, then by insertion. */
  around(index: number): Vma[] {
    return this.within(index, index + 1);
  }

  /** The same for a part of [first, end). */
  within(first: number, end: number): Vma[] {
    return this.sorted((v) => v.pgoff < end && first < v.pgoff + v.pages);
  }

  /** Returns the vmas that cover address `pn`. */
  covering(pn: number): Vma[] {
    return this.sorted((v) => v.start <= pn && pn < v.end);
  }

  private sorted(wanted: (v: Vma) => boolean): Vma[] {
    return [...this.links]
      .filter(([v]) => wanted(v))
      .sort(([a, at], [b, bt]) => a.pgoff - b.pgoff || at - bt)
      .map(([v]) => v);
  }
}

export class Vma {
  anon: AnonVma | null = null;
  readonly chain: AnonVma[] = [];

  constructor(
    readonly mm: Mm,
    public start: number,
    public end: number,
    public flags: number,
    public pgoff: number,
    readonly file: ModelFile | null = null,
  ) {}

  /** Whether the vma is private memory without a file. */
  get anonymous(): boolean {
    return !this.file && !(this.flags & SPECIAL);
  }

  get pages(): number {
    return this.end - this.start;
  }

  /** Returns the page offset of address `at`. */
  offset(at: number): number {
    return this.pgoff + (at - this.start);
  }

  link(anon: AnonVma): void {
    anon.links.set(this, ++stamp);
    this.chain.push(anon);
  }

  /** Removes the vma from the trees and inserts it again, after a change of its range. */
  relink(): void {
    for (const anon of this.chain) {
      anon.links.delete(this);
      anon.links.set(this, ++stamp);
    }
    this.file?.attach(this);
  }

  /** Links to everything that `other` is linked to. May adopt an anon_vma that no vma owns. */
  cloneChain(other: Vma): void {
    for (const anon of other.chain) {
      this.link(anon);
      if (!this.anon && other.anon && anon.children < 2 && anon.active === 0) this.anon = anon;
    }
    if (this.anon) this.anon.active++;
  }

  unlink(): void {
    for (const anon of this.chain) {
      anon.links.delete(this);
      if (anon.links.size === 0) anon.parent.children--;
    }
    this.chain.length = 0;
    if (this.anon) this.anon.active--;
    this.anon = null;
  }

  /** Gets an anon_vma of its own before the first page is mapped. */
  prepare(): void {
    if (this.anon) return;
    this.anon = this.mm.vmas.reusableAnon(this) ?? new AnonVma();
    this.link(this.anon);
    this.anon.active++;
  }

  /** Becomes the child's copy of `parent` at fork. */
  forkAnon(parent: Vma): void {
    if (!parent.anon) return;
    this.cloneChain(parent);
    if (this.anon) return;
    this.anon = new AnonVma(parent.anon);
    this.anon.active++;
    this.link(this.anon);
  }
}

/** The properties that a range must share with a neighbor to merge. */
interface Shape {
  start: number;
  end: number;
  flags: number;
  pgoff: number;
  anon: AnonVma | null;
  file: ModelFile | null;
}

/**
 * Whether a range with anon_vma `a` may join `into`: equal anon_vmas, or one has none and `into` has one
 * link.
 */
function anonFits(a: AnonVma | null, into: Vma): boolean {
  return a === into.anon || ((!a || !into.anon) && into.chain.length === 1);
}

/** `dst` grows over `src` and takes over its links if it has none. */
function takeAnon(dst: Vma, src: Vma): void {
  if (!src.anon || dst.anon) return;
  dst.anon = src.anon;
  dst.cloneChain(src);
}

export class VmaList {
  readonly list: Vma[] = [];

  constructor(private readonly mm: Mm) {}

  find(pn: number): Vma | undefined {
    return this.list.find((v) => v.start <= pn && pn < v.end);
  }

  /** Returns the vmas that overlap [a, b). */
  within(a: number, b: number): Vma[] {
    return this.list.filter((v) => v.start < b && a < v.end);
  }

  private before(at: number): Vma | undefined {
    return this.list.find((v) => v.end === at);
  }

  private after(at: number): Vma | undefined {
    return this.list.find((v) => v.start === at);
  }

  insert(vma: Vma): Vma {
    const at = this.list.findIndex((v) => v.start > vma.start);
    this.list.splice(at < 0 ? this.list.length : at, 0, vma);
    vma.file?.attach(vma);
    return vma;
  }

  /** Drops a vma whose pages are gone or now belong to a neighbor. */
  remove(vma: Vma): void {
    vma.unlink();
    this.list.splice(this.list.indexOf(vma), 1);
    vma.file?.detach(vma);
  }

  /** Splits `vma` at `at`. `vma` itself becomes the upper half if `newBelow`, else the lower half. */
  split(vma: Vma, at: number, newBelow: boolean): void {
    const part = newBelow
      ? new Vma(this.mm, vma.start, at, vma.flags, vma.pgoff, vma.file)
      : new Vma(this.mm, at, vma.end, vma.flags, vma.offset(at), vma.file);
    part.anon = vma.anon;
    part.cloneChain(vma);
    if (newBelow) this.resize(vma, at, vma.end);
    else this.resize(vma, vma.start, at);
    this.insert(part);
  }

  private resize(vma: Vma, start: number, end: number): void {
    for (const edge of [start, end]) splitAtEdge(vma, edge);
    vma.pgoff += start - vma.start;
    vma.start = start;
    vma.end = end;
    vma.relink();
  }

  private mergeable(s: Shape): { left: Vma | undefined; right: Vma | undefined } {
    const fits = (vma: Vma): boolean =>
      vma.flags === s.flags && vma.file === s.file && !(s.flags & SPECIAL) && anonFits(s.anon, vma);
    let left = this.before(s.start);
    let right = this.after(s.end);
    if (left && !(fits(left) && left.offset(left.end) === s.pgoff)) left = undefined;
    if (right && !(fits(right) && right.pgoff === s.pgoff + s.end - s.start)) right = undefined;
    if (left && right && left.anon && right.anon && left.anon !== right.anon) right = undefined;
    return { left, right };
  }

  /** Lets the neighbors of an empty range grow over it. Returns undefined if they do not fit. */
  mergeNew(s: Shape): Vma | undefined {
    const { left, right } = this.mergeable(s);
    const grown = left ?? right;
    if (!grown) return undefined;
    if (left && right) takeAnon(left, right);
    this.resize(grown, left ? left.start : s.start, right ? right.end : s.end);
    if (left && right) this.remove(right);
    return grown;
  }

  /** Changes the flags of [a, b) of `vma`: merges with the neighbors if they fit, else splits. */
  modify(vma: Vma, a: number, b: number, flags: number): Vma {
    const { anon, file } = vma;
    const m = this.mergeable({ start: a, end: b, flags, pgoff: vma.offset(a), anon, file });
    const left = a === vma.start ? m.left : undefined;
    const right = b === vma.end ? m.right : undefined;
    if (left && right) {
      takeAnon(left, right.anon ? right : vma);
      this.resize(left, left.start, right.end);
      this.remove(vma);
      this.remove(right);
      return left;
    }
    const grown = left ?? right;
    if (grown) {
      takeAnon(grown, vma);
      const whole = a === vma.start && b === vma.end;
      if (left) {
        this.resize(left, left.start, b);
        if (!whole) this.resize(vma, b, vma.end);
      } else {
        if (!whole) this.resize(vma, vma.start, a);
        this.resize(grown, a, grown.end);
      }
      if (whole) this.remove(vma);
      return grown;
    }
    if (vma.start < a) this.split(vma, a, true);
    if (vma.end > b) this.split(vma, b, false);
    vma.flags = flags;
    return vma;
  }

  /** Returns the anon_vma of an adjacent vma that could merge with `vma`, permissions aside. */
  reusableAnon(vma: Vma): AnonVma | null {
    const next = this.after(vma.end);
    const prev = this.before(vma.start);
    const fits = (a: Vma, b: Vma): boolean =>
      ((a.flags ^ b.flags) & ~RWX) === 0 && a.file === b.file && b.pgoff === a.offset(b.start);
    if (next && fits(vma, next) && next.anon && next.chain.length === 1) return next.anon;
    if (prev && fits(prev, vma) && prev.anon && prev.chain.length === 1) return prev.anon;
    return null;
  }

  /** Makes a new mapping at an empty place, of a file from page `pgoff` or without a file. */
  map(start: number, end: number, flags: number, file: ModelFile | null, pgoff = start): Vma {
    if (flags & W && !(flags & SHARED)) flags |= ACCOUNT;
    const merged = this.mergeNew({ start, end, flags, pgoff, anon: null, file });
    return merged ?? this.insert(new Vma(this.mm, start, end, flags, pgoff, file));
  }
}
