/** What the simulated device's driver counts: pages that come and go, evictions and invalidations. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { roundDown } from "../engine/errors.ts";
import { CLUSTER_SIZE } from "./cluster.ts";
import {
  sum,
  trafficOf,
  type DeviceCounts,
  type Invalidations,
  type LinkCounts,
  type PageTraffic,
} from "./counts.ts";
import type { Place, SimulationEvents } from "./events.ts";
import type { RangeCounts } from "./range-counts.ts";
import { bitCount, hasPage, pageBit, type PageRange } from "./page-runs.ts";
import { SparseWords } from "./sparse-words.ts";

/** What a move did to the pages of an aligned 64 KiB, a bit each (RangeMover). */
export interface MovedPages {
  moved(base: number): number;
  copied(base: number): number;
  written(base: number): number;
}

/** What a snapshot keeps of the books. */
export interface BooksState {
  pages: PageTraffic;
  evictions: number;
  peak: number;
  left: [cluster: number, pages: number][];
  along: [cluster: number, pages: number][];
  thrashed: [cluster: number, pages: number][];
  links: Record<number, LinkCounts>;
}

/** The books of a device. */
export class DeviceBooks {
  readonly pages: PageTraffic = {
    in: 0,
    copied: 0,
    fromPeers: 0,
    inAgain: 0,
    out: 0,
    outDirty: 0,
    outEvicted: 0,
    outEvictedDirty: 0,
  };
  /** Clusters that were evicted. */
  evictions = 0;
  /** The most pages that were in the device's memory at one time, since it was last set. */
  peak = 0;
  /** Is told where pages move; the simulation sets it. */
  ranges: RangeCounts | null = null;
  /** What went over the device's links, by the number of the other device. */
  readonly links: Record<number, LinkCounts>;
  /** Is told what moves; null: nobody is. */
  events: SimulationEvents | null = null;
  /** The device's number, for events. */
  readonly #number: number;
  /** By cluster: the pages that have left the device, a bit each. */
  readonly #left = new SparseWords();
  /** Of named ranges: the pages on the device that came along with one that faulted, and are not used yet. */
  readonly #along = new SparseWords();
  /** Whether a page of a named range has come along with another one so far. */
  followsUses = false;
  /** Of named ranges: the pages that have come again. */
  readonly #thrashed = new SparseWords();
  readonly #hostFirst: boolean;

  /**
   * @param hostFirst whether pages that nobody has touched lie in RAM, so that they are copied from there
   * @param number the device's, from 1 on
   * @param links its links, without a state
   */
  constructor(hostFirst: boolean, state?: BooksState, number = 1, links: Record<number, LinkCounts> = {}) {
    this.#number = number;
    this.links = state?.links ?? links;
    this.#hostFirst = hostFirst;
    if (state === undefined) return;
    for (const [cluster, pages] of state.left) this.#left.set(cluster, pages);
    for (const [cluster, pages] of state.along) this.#along.set(cluster, pages);
    this.followsUses = state.along.length > 0;
    for (const [cluster, pages] of state.thrashed) this.#thrashed.set(cluster, pages);
    Object.assign(this.pages, state.pages);
    this.peak = state.peak;
    this.evictions = state.evictions;
  }

  state(): BooksState {
    const { pages, evictions, peak } = this;
    const [left, along, thrashed] = [this.#left, this.#along, this.#thrashed].map((words) => words.entries());
    return { pages, evictions, peak, left, along, thrashed, links: this.links };
  }

  /**
   * Notes that `moved` pages of [start, end) have come; the device has `all` now.
   * @param faulted the page that faulted: others came along
   * @param from where they were
   */
  pagesIn(
    { start, end }: PageRange,
    mover: MovedPages,
    moved: number,
    { all, faulted, from = 0 }: { all: number; faulted: number; from?: Place },
  ): void {
    const { pages } = this;
    const ranges = this.#named;
    for (let base = roundDown(start, CLUSTER_SIZE); base < end; base += CLUSTER_SIZE) {
      const bits = mover.moved(base);
      if (bits === 0) continue;
      if (from === 0) pages.copied += bitCount(this.#hostFirst ? bits : mover.copied(base));
      const again = this.#left.get(base / CLUSTER_SIZE) & bits;
      pages.inAgain += bitCount(again);
      if (ranges !== null) this.#nameIn(ranges, base, bits, { again, faulted });
    }
    if (this.events !== null) this.#publishIn(this.events, { start, end }, mover, from);
    pages.in += moved;
    if (from !== 0) {
      pages.fromPeers += moved;
      this.links[from].bytesIn += moved * PAGE_SIZE;
    }
    this.peak = Math.max(this.peak, all);
  }

  /**
   * Notes that `moved` pages of [start, end) have left.
   * @param evicted whether they made room for others
   * @param to where they are now; a device notes itself what comes to it
   */
  pagesOut(
    { start, end }: PageRange,
    mover: MovedPages,
    moved: number,
    { evicted, to = 0 }: { evicted: boolean; to?: Place },
  ): void {
    const { pages } = this;
    const ranges = this.#named;
    for (let base = roundDown(start, CLUSTER_SIZE); base < end; base += CLUSTER_SIZE) {
      const bits = mover.moved(base);
      if (bits === 0) continue;
      const cluster = base / CLUSTER_SIZE;
      this.#left.set(cluster, this.#left.get(cluster) | bits);
      const dirty = bitCount(mover.written(base) & bits);
      pages.outDirty += dirty;
      if (evicted) pages.outEvictedDirty += dirty;
      if (ranges === null) continue;
      const unused = this.#along.get(cluster) & bits;
      if (unused !== 0) this.#along.set(cluster, this.#along.get(cluster) & ~bits);
      ranges.moveAll(base, unused, "bytesPrefetchedUnused");
      ranges.moveAll(base, bits, "bytesOut");
      if (evicted) ranges.moveAll(base, bits, "bytesOutEvicted");
    }
    if (this.events !== null && to === 0)
      publishOut(this.events, { start, end }, mover, this.#number, evicted);
    pages.out += moved;
    if (evicted) pages.outEvicted += moved;
  }

  /** The pages of the aligned 64 KiB at `base` that came along and of which no use is known, a bit each. */
  unused(base: number): number {
    return this.#along.get(base / CLUSTER_SIZE);
  }

  /** The addresses of the aligned 64 KiB that have such pages. */
  unusedClusters(): number[] {
    return this.#along.entries().map(([cluster]) => cluster * CLUSTER_SIZE);
  }

  /** Notes that pages of the aligned 64 KiB at `base`, a bit each, were used: those that came along count. */
  used(base: number, bits: number): void {
    const cluster = base / CLUSTER_SIZE;
    const along = this.#along.get(cluster);
    if ((along & bits) === 0) return;
    this.#along.set(cluster, along & ~bits);
    this.ranges?.moveAll(base, along & bits, "bytesPrefetchedUsed");
  }

  /** Returns what was counted so far; the driver knows the invalidations. */
  counts(invalidations: Invalidations): DeviceCounts {
    const { pages, evictions } = this;
    return {
      device: trafficOf(pages),
      evictions,
      invalidations: sum(invalidations),
      invalidationsByEvent: invalidations,
    };
  }

  /**
   * Counts for named ranges that pages of the aligned 64 KiB at `base` came, a bit each. A page that has been
   * on the device before thrashes, and counts as such once.
   */
  #nameIn(
    ranges: RangeCounts,
    base: number,
    bits: number,
    { again, faulted }: { again: number; faulted: number },
  ): void {
    const cluster = base / CLUSTER_SIZE;
    const own = roundDown(faulted, CLUSTER_SIZE) === base ? pageBit(faulted) : 0;
    const along = bits & ~own;
    const thrashed = this.#thrashed.get(cluster);
    if (along !== 0) this.#along.set(cluster, this.#along.get(cluster) | along);
    this.followsUses ||= along !== 0;
    if ((again & ~thrashed) !== 0) this.#thrashed.set(cluster, thrashed | again);
    ranges.moveAll(base, bits, "bytesIn");
    ranges.moveAll(base, along, "bytesPrefetched");
    ranges.moveAll(base, again & ~thrashed, "bytesThrashed");
  }

  /** Tells of pages that came: runs that were copied, and runs that were made. */
  #publishIn(events: SimulationEvents, { start, end }: PageRange, mover: MovedPages, from: Place): void {
    for (let page = start; page < end;) {
      const kind = this.#kindOf(mover, page);
      const first = page;
      while (page < end && this.#kindOf(mover, page) === kind) page += PAGE_SIZE;
      if (kind === "stayed") continue;
      const bytes = page - first;
      const pages = bytes / PAGE_SIZE;
      if (kind === "copied") {
        events.transfer(first, bytes, from === 0 ? "toDevice" : "peer", "fault");
        events.left(first, pages, from);
      }
      events.arrived(first, pages, this.#number, kind === "copied");
    }
  }

  /** What a move to the device did to a page. */
  #kindOf(mover: MovedPages, page: number): "stayed" | "copied" | "made" {
    if (!hasPage(mover.moved(page), page)) return "stayed";
    return this.#hostFirst || hasPage(mover.copied(page), page) ? "copied" : "made";
  }

  /** The ranges whose moves are counted; null if there are none. */
  get #named(): RangeCounts | null {
    return this.ranges === null || this.ranges.empty ? null : this.ranges;
  }
}

/** Tells of pages that went to RAM: a transfer for each run of neighbors. */
function publishOut(
  events: SimulationEvents,
  { start, end }: PageRange,
  mover: MovedPages,
  from: number,
  evicted: boolean,
): void {
  for (let page = start; page < end; page += PAGE_SIZE) {
    const first = page;
    while (page < end && hasPage(mover.moved(page), page)) page += PAGE_SIZE;
    const bytes = page - first;
    if (bytes === 0) continue;
    events.transfer(first, bytes, "toHost", evicted ? "eviction" : "fault");
    events.left(first, bytes / PAGE_SIZE, from);
    events.arrived(first, bytes / PAGE_SIZE, 0, true);
  }
}
