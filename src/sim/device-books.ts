/** What the simulated device's driver counts: pages that come and go, evictions and invalidations. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import type { RangeMover } from "../device/range-mover.ts";
import { roundDown } from "../engine/errors.ts";
import { CLUSTER_PAGES, CLUSTER_SIZE } from "./cluster.ts";
import { sum, trafficOf, type DeviceCounts, type Invalidations, type PageTraffic } from "./counts.ts";
import type { SimulationEvents } from "./events.ts";
import type { RangeCounts } from "./range-counts.ts";
import { SparseWords } from "./sparse-words.ts";

/** A range of pages, by the addresses of its first byte and of the first one after it. */
export interface PageRange {
  start: number;
  end: number;
}

/** What a snapshot keeps of the books. */
export interface BooksState {
  pages: PageTraffic;
  evictions: number;
  peak: number;
  left: [cluster: number, pages: number][];
}

/** The books of a device. */
export class DeviceBooks {
  readonly pages: PageTraffic = {
    in: 0,
    copied: 0,
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
  /** Is told what moves; null: nobody is. */
  events: SimulationEvents | null = null;
  /** The device's number, for events. */
  readonly #number: number;
  /** By cluster: the pages that have left the device, a bit each. */
  readonly #left = new SparseWords();

  readonly #hostFirst: boolean;

  /**
   * @param hostFirst whether pages that nobody has touched lie in RAM, so that they are copied from there
   * @param number the device's, from 1 on
   */
  constructor(hostFirst: boolean, state?: BooksState, number = 1) {
    this.#number = number;
    this.#hostFirst = hostFirst;
    if (state === undefined) return;
    for (const [cluster, pages] of state.left) this.#left.set(cluster, pages);
    Object.assign(this.pages, state.pages);
    this.peak = state.peak;
    this.evictions = state.evictions;
  }

  state(): BooksState {
    const { pages, evictions, peak } = this;
    return { pages, evictions, peak, left: this.#left.entries() };
  }

  /** Notes that the mover has moved `moved` pages of [start, end) in; the device has `all` now. */
  pagesIn({ start, end }: PageRange, mover: RangeMover, moved: number, all: number): void {
    const { pages } = this;
    const ranges = this.#named;
    for (let base = roundDown(start, CLUSTER_SIZE); base < end; base += CLUSTER_SIZE) {
      const bits = mover.moved(base);
      if (bits === 0) continue;
      pages.copied += bitCount(this.#hostFirst ? bits : mover.copied(base));
      pages.inAgain += bitCount(this.#left.get(base / CLUSTER_SIZE) & bits);
      if (ranges !== null) eachPage(base, bits, (addr) => ranges.move(addr, "bytesIn"));
    }
    if (this.events !== null) this.#publishIn(this.events, { start, end }, mover);
    pages.in += moved;
    this.peak = Math.max(this.peak, all);
  }

  /**
   * Notes that the mover has moved `moved` pages of [start, end) to RAM.
   * @param evicted whether they made room for others
   */
  pagesOut({ start, end }: PageRange, mover: RangeMover, moved: number, evicted: boolean): void {
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
      eachPage(base, bits, (addr) => {
        ranges.move(addr, "bytesOut");
        if (evicted) ranges.move(addr, "bytesOutEvicted");
      });
    }
    if (this.events !== null) publishOut(this.events, { start, end }, mover, this.#number, evicted);
    pages.out += moved;
    if (evicted) pages.outEvicted += moved;
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

  /** Tells of pages that came: runs that were copied, and runs that were made. */
  #publishIn(events: SimulationEvents, { start, end }: PageRange, mover: RangeMover): void {
    const isCopied = (page: number): boolean => this.#hostFirst || hasPage(mover.copied(page), page);
    const kindOf = (page: number): number =>
      hasPage(mover.moved(page), page) ? (isCopied(page) ? 2 : 1) : 0;
    for (let page = start; page < end;) {
      const kind = kindOf(page);
      const first = page;
      while (page < end && kindOf(page) === kind) page += PAGE_SIZE;
      if (kind === 0) continue;
      const bytes = page - first;
      const pages = bytes / PAGE_SIZE;
      if (kind === 2) {
        events.transfer(first, bytes, "toDevice", "fault");
        events.left(first, pages, 0);
      }
      events.arrived(first, pages, this.#number, kind === 2);
    }
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
  mover: RangeMover,
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

/** Whether the bit of a page is set in an answer of the mover. */
export function hasPage(bits: number, page: number): boolean {
  return ((bits >> ((page / PAGE_SIZE) % CLUSTER_PAGES)) & 1) !== 0;
}

/** How many bits are set in a word of 16 bits. */
function bitCount(bits: number): number {
  bits -= (bits >> 1) & 0x5555;
  bits = (bits & 0x3333) + ((bits >> 2) & 0x3333);
  bits = (bits + (bits >> 4)) & 0x0f0f;
  return (bits + (bits >> 8)) & 0x1f;
}

/** Calls `visit` with the address of each page of the aligned 64 KiB at `base` whose bit is set. */
function eachPage(base: number, bits: number, visit: (addr: number) => void): void {
  for (let i = 0; i < CLUSTER_PAGES; i++) if ((bits & (1 << i)) !== 0) visit(base + i * PAGE_SIZE);
}
