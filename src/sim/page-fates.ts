/**
 * What became of the pages in a device's memory: which of them came along with one that faulted, whether the
 * device used those, and which have come again. Words have a bit for each page of an aligned 64 KiB.
 */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { CLUSTER_SIZE } from "./cluster.ts";
import { bitCount } from "./page-runs.ts";
import type { PagingCounts } from "./paging-counts.ts";
import type { RangeBytes, RangeCounts } from "./range-counts.ts";
import { SparseWords } from "./sparse-words.ts";

type Fates = Pick<
  PagingCounts,
  "bytesPrefetched" | "bytesPrefetchedUsed" | "bytesPrefetchedUnused" | "bytesThrashed"
>;

/** What a snapshot keeps. */
export interface FatesState {
  counts: Fates;
  left: [cluster: number, pages: number][];
  along: [cluster: number, pages: number][];
  thrashed: [cluster: number, pages: number][];
}

export class PageFates {
  /** Is told by named range, too; null: there are none. */
  ranges: RangeCounts | null = null;
  /** Whether a page has come along with another one so far. */
  followsUses = false;
  readonly #counts: Fates;
  /** By cluster: the pages that have left the device. */
  readonly #left = new SparseWords();
  /** Those on the device that came along with one that faulted, and are not used yet. */
  readonly #along = new SparseWords();
  /** Those that have come again. */
  readonly #thrashed = new SparseWords();

  constructor(state?: FatesState) {
    const none = { bytesPrefetched: 0, bytesPrefetchedUsed: 0, bytesPrefetchedUnused: 0, bytesThrashed: 0 };
    this.#counts = { ...(state?.counts ?? none) };
    if (state === undefined) return;
    for (const [cluster, pages] of state.left) this.#left.set(cluster, pages);
    for (const [cluster, pages] of state.along) this.#along.set(cluster, pages);
    for (const [cluster, pages] of state.thrashed) this.#thrashed.set(cluster, pages);
    this.followsUses = state.along.length > 0;
  }

  state(): FatesState {
    const [left, along, thrashed] = [this.#left, this.#along, this.#thrashed].map((words) => words.entries());
    return { counts: this.counts(), left, along, thrashed };
  }

  /** Returns what was counted, as a copy. */
  counts(): Fates {
    return { ...this.#counts };
  }

  /**
   * Notes that pages of the aligned 64 KiB at `base` came, of which `own` faulted and the others came along.
   * A page that has been on the device before thrashes, and counts as such once. Returns those that were.
   */
  came(base: number, bits: number, own: number): number {
    const cluster = base / CLUSTER_SIZE;
    const again = this.#left.get(cluster) & bits;
    const along = bits & ~own;
    if (along !== 0) {
      this.#along.set(cluster, this.#along.get(cluster) | along);
      this.followsUses = true;
      this.#note("bytesPrefetched", base, along);
    }
    if (again === 0) return 0;
    const thrashed = this.#thrashed.get(cluster);
    if ((again & ~thrashed) !== 0) {
      this.#thrashed.set(cluster, thrashed | again);
      this.#note("bytesThrashed", base, again & ~thrashed);
    }
    return again;
  }

  /** Notes that pages of the aligned 64 KiB at `base` left. */
  left(base: number, bits: number): void {
    const cluster = base / CLUSTER_SIZE;
    this.#left.set(cluster, this.#left.get(cluster) | bits);
    if (!this.followsUses) return;
    const unused = this.#along.get(cluster) & bits;
    if (unused === 0) return;
    this.#along.set(cluster, this.#along.get(cluster) & ~unused);
    this.#note("bytesPrefetchedUnused", base, unused);
  }

  /** Notes that pages of the aligned 64 KiB at `base` were used: those that came along count. */
  used(base: number, bits: number): void {
    const cluster = base / CLUSTER_SIZE;
    const along = this.#along.get(cluster);
    if ((along & bits) === 0) return;
    this.#along.set(cluster, along & ~bits);
    this.#note("bytesPrefetchedUsed", base, along & bits);
  }

  /** The pages of the aligned 64 KiB at `base` that came along and of which no use is known. */
  unused(base: number): number {
    return this.#along.get(base / CLUSTER_SIZE);
  }

  /** The addresses of the aligned 64 KiB that have such pages. */
  unusedClusters(): number[] {
    return this.#along.entries().map(([cluster]) => cluster * CLUSTER_SIZE);
  }

  #note(what: RangeBytes & keyof Fates, base: number, bits: number): void {
    const { ranges } = this;
    this.#counts[what] += bitCount(bits) * PAGE_SIZE;
    if (ranges !== null && !ranges.empty) ranges.moveAll(base, bits, what);
  }
}
