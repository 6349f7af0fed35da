/** What the simulated device's driver counts: pages that come and go, evictions and invalidations. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { roundDown } from "../engine/errors.ts";
import { CLUSTER_PAGES, CLUSTER_SIZE } from "./cluster.ts";
import {
  sum,
  trafficOf,
  type DeviceCounts,
  type Invalidations,
  type LinkCounts,
  type PageTraffic,
} from "./counts.ts";
import type { Place, SimulationEvents } from "./events.ts";
import { PageFates, type FatesState } from "./page-fates.ts";
import { TransferBook, type Direction, type DirectionTotals } from "./paging-counts.ts";
import type { RangeCounts } from "./range-counts.ts";
import { bitCount, eachRun, hasPage, pageBit, type PageRange } from "./page-runs.ts";

/** What a move did to the pages of an aligned 64 KiB, a bit each (RangeMover). */
export interface MovedPages {
  moved(base: number): number;
  copied(base: number): number;
  written(base: number): number;
  used(base: number): number;
}

/** What a snapshot keeps of the books. */
export interface BooksState {
  pages: PageTraffic;
  groups: number;
  evictions: number;
  peak: number;
  fates: FatesState;
  transfers: DirectionTotals;
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
  /** Faults of the device that were served. */
  groups = 0;
  /** Clusters that were evicted. */
  evictions = 0;
  /** The most pages that were in the device's memory at one time, since it was last set. */
  peak = 0;
  /** What became of the pages that came. */
  readonly fates: PageFates;
  /** What went over the device's links, by the number of the other device. */
  readonly links: Record<number, LinkCounts>;
  /** Is told what moves; null: nobody is. */
  events: SimulationEvents | null = null;
  /** The device's number, for events. */
  readonly #number: number;
  readonly #hostFirst: boolean;
  readonly #transfers: TransferBook;
  /** Is told where pages move; null: nobody is. */
  #ranges: RangeCounts | null = null;

  /**
   * @param hostFirst whether pages that nobody has touched lie in RAM, so that they are copied from there
   * @param number the device's, from 1 on
   * @param links its links, without a state
   */
  constructor(hostFirst: boolean, state?: BooksState, number = 1, links: Record<number, LinkCounts> = {}) {
    this.#number = number;
    this.links = state?.links ?? links;
    this.#hostFirst = hostFirst;
    this.fates = new PageFates(state?.fates);
    this.#transfers = new TransferBook(state?.transfers);
    if (state === undefined) return;
    Object.assign(this.pages, state.pages);
    this.peak = state.peak;
    this.groups = state.groups;
    this.evictions = state.evictions;
  }

  state(): BooksState {
    const { pages, groups, evictions, peak, links } = this;
    const [fates, transfers] = [this.fates.state(), this.#transfers.totals()];
    return { pages, groups, evictions, peak, fates, transfers, links };
  }

  /** Says where moves are counted by name. */
  countIn(ranges: RangeCounts): void {
    this.#ranges = this.fates.ranges = ranges;
  }

  /**
   * Notes that `moved` pages of [start, end) have come; the device has `all` now.
   * @param faulted the page that faulted: others came along
   * @param from where they were
   */
  pagesIn(
    range: PageRange,
    mover: MovedPages,
    moved: number,
    { all, faulted, from = 0 }: { all: number; faulted: number; from?: Place },
  ): void {
    const { pages } = this;
    const ranges = this.#named;
    for (let base = roundDown(range.start, CLUSTER_SIZE); base < range.end; base += CLUSTER_SIZE) {
      const bits = mover.moved(base);
      if (bits === 0) continue;
      if (from === 0) pages.copied += bitCount(this.#copied(mover, base));
      const own = roundDown(faulted, CLUSTER_SIZE) === base ? pageBit(faulted) : 0;
      pages.inAgain += bitCount(this.fates.came(base, bits, own));
      ranges?.moveAll(base, bits, "bytesIn");
    }
    this.#countTransfers(range, (base) => this.#copied(mover, base), from === 0 ? "toDevice" : "peer");
    if (this.events !== null) this.#publishIn(this.events, range, mover, from);
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
    range: PageRange,
    mover: MovedPages,
    moved: number,
    { evicted, to = 0 }: { evicted: boolean; to?: Place },
  ): void {
    const { pages, fates } = this;
    const ranges = this.#named;
    for (let base = roundDown(range.start, CLUSTER_SIZE); base < range.end; base += CLUSTER_SIZE) {
      if (fates.followsUses) fates.used(base, mover.used(base));
      const bits = mover.moved(base);
      if (bits === 0) continue;
      fates.left(base, bits);
      const dirty = bitCount(mover.written(base) & bits);
      pages.outDirty += dirty;
      if (evicted) pages.outEvictedDirty += dirty;
      if (ranges === null) continue;
      ranges.moveAll(base, bits, "bytesOut");
      if (evicted) ranges.moveAll(base, bits, "bytesOutEvicted");
    }
    if (to === 0) this.#countTransfers(range, (base) => mover.moved(base), "toHost");
    if (this.events !== null && to === 0) publishOut(this.events, range, mover, this.#number, evicted);
    pages.out += moved;
    if (evicted) pages.outEvicted += moved;
  }

  /** Whether somebody is told what moves, it is counted by name, or pages that came along are followed. */
  get isFollowed(): boolean {
    return this.events !== null || this.#named !== null || this.fates.followsUses;
  }

  /**
   * The short form of {@link pagesIn} for one page that faulted, by its number, while nobody follows. Its
   * transfer is counted by {@link pagesCopied}.
   */
  pageCame(page: number, copied: boolean, all: number): void {
    const { pages } = this;
    const i = page & (CLUSTER_PAGES - 1);
    if (copied || this.#hostFirst) pages.copied++;
    if (this.fates.came((page - i) * PAGE_SIZE, 1 << i, 1 << i) !== 0) pages.inAgain++;
    pages.in++;
    this.peak = Math.max(this.peak, all);
  }

  /** The short form of {@link pagesOut} for one page that made room, likewise. */
  pageEvicted(page: number, dirty: boolean): void {
    const { pages } = this;
    const i = page & (CLUSTER_PAGES - 1);
    this.fates.left((page - i) * PAGE_SIZE, 1 << i);
    if (dirty) {
      pages.outDirty++;
      pages.outEvictedDirty++;
    }
    pages.out++;
    pages.outEvicted++;
    this.evictions++;
  }

  /** Counts the transfers of single pages. */
  pagesCopied(pages: number, direction: Direction): void {
    this.#transfers.add(PAGE_SIZE, direction, pages);
  }

  /** Returns what was counted so far; the driver knows the invalidations. */
  counts(invalidations: Invalidations): DeviceCounts {
    const { pages, groups, evictions } = this;
    return {
      groups,
      transfers: this.#transfers.totals(),
      ...this.fates.counts(),
      device: trafficOf(pages),
      evictions,
      invalidations: sum(invalidations),
      invalidationsByEvent: invalidations,
    };
  }

  /** Which of the pages that came were copied. */
  #copied(mover: MovedPages, base: number): number {
    return this.#hostFirst ? mover.moved(base) : mover.copied(base);
  }

  /** Counts a transfer for each run of pages that were copied, also for the range in which it begins. */
  #countTransfers(range: PageRange, copied: (base: number) => number, direction: Direction): void {
    const ranges = this.#named;
    eachRun(range, copied, (first, end) => {
      this.#transfers.add(end - first, direction);
      ranges?.transfer(first, end - first, direction);
    });
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
    return hasPage(this.#copied(mover, page), page) ? "copied" : "made";
  }

  /** The ranges whose moves are counted; null if there are none. */
  get #named(): RangeCounts | null {
    return this.#ranges === null || this.#ranges.empty ? null : this.#ranges;
  }
}

/** Tells of pages that went to RAM: a transfer for each run of neighbors. */
function publishOut(
  events: SimulationEvents,
  range: PageRange,
  mover: MovedPages,
  from: number,
  evicted: boolean,
): void {
  const moved = (base: number): number => mover.moved(base);
  eachRun(range, moved, (first, end) => {
    const bytes = end - first;
    events.transfer(first, bytes, "toHost", evicted ? "eviction" : "fault");
    events.left(first, bytes / PAGE_SIZE, from);
    events.arrived(first, bytes / PAGE_SIZE, 0, true);
  });
}
