/** What the simulated device's driver counts: pages that come and go, evictions and invalidations. */
import {
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_MIGRATE,
  MMU_NOTIFY_PROTECTION_PAGE,
  MMU_NOTIFY_PROTECTION_VMA,
  MMU_NOTIFY_UNMAP,
} from "../../assembly/uapi/event.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { DEVICE_PFN_DIRTY, MIGRATE_PFN_MIGRATE, MIGRATE_PFN_VALID } from "../../assembly/uapi/pfn.ts";
import { CLUSTER_PAGES, CLUSTER_SIZE } from "./cluster.ts";
import { sum, trafficOf, type DeviceCounts, type Invalidations, type PageTraffic } from "./counts.ts";
import type { SimulationEvents } from "./events.ts";
import type { RangeCounts } from "./range-counts.ts";

/** In src: a page, and no hole, that may move. */
export const COLLECTED = (MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE) >>> 0;

/** What a snapshot keeps of the books. */
export interface BooksState {
  pages: PageTraffic;
  evictions: number;
  peak: number;
  invalidations: Invalidations;
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
  readonly invalidations: Invalidations = { migrate: 0, clear: 0, protection: 0, unmap: 0, other: 0 };
  /** Is told where pages move; the simulation sets it. */
  ranges: RangeCounts | null = null;
  /** Is told what moves; null: nobody is. */
  events: SimulationEvents | null = null;
  /** The device's number, for events. */
  readonly #number: number;
  /** By cluster: the pages that have left the device, a bit each. */
  readonly #left: Map<number, number>;

  readonly #hostFirst: boolean;

  /**
   * @param hostFirst whether pages that nobody has touched lie in RAM, so that they are copied from there
   * @param number the device's, from 1 on
   */
  constructor(hostFirst: boolean, state?: BooksState, number = 1) {
    this.#number = number;
    this.#hostFirst = hostFirst;
    this.#left = new Map(state?.left);
    if (state === undefined) return;
    Object.assign(this.pages, state.pages);
    Object.assign(this.invalidations, state.invalidations);
    this.peak = state.peak;
    this.evictions = state.evictions;
  }

  state(): BooksState {
    const { pages, evictions, peak, invalidations } = this;
    return { pages, evictions, peak, invalidations, left: [...this.#left] };
  }

  /** Notes that a migration has moved `moved` pages in; the device has `all` now. */
  pagesIn(start: number, src: Uint32Array, moved: number, all: number): void {
    const { pages } = this;
    const ranges = this.#named;
    for (let i = 0; i < src.length; i++) {
      if ((src[i] & MIGRATE_PFN_MIGRATE) === 0) continue;
      const addr = start + i * PAGE_SIZE;
      if (ranges !== null) ranges.move(addr, "bytesIn");
      if (this.#hostFirst || (src[i] & MIGRATE_PFN_VALID) !== 0) pages.copied++;
      if (((this.#left.get(clusterAt(addr)) ?? 0) & pageBit(addr)) !== 0) pages.inAgain++;
    }
    if (this.events !== null) this.#publishIn(this.events, start, src);
    pages.in += moved;
    this.peak = Math.max(this.peak, all);
  }

  /**
   * Notes that a migration has moved pages to RAM, which had these entries in the device's table. Returns
   * their addresses.
   * @param evicted whether they made room for others
   */
  pagesOut(start: number, src: Uint32Array, entries: Uint32Array, evicted: boolean): number[] {
    const { pages } = this;
    const moved: number[] = [];
    const ranges = this.#named;
    for (let i = 0; i < src.length; i++) {
      if ((src[i] & COLLECTED) >>> 0 !== COLLECTED) continue;
      const addr = start + i * PAGE_SIZE;
      moved.push(addr);
      const cluster = clusterAt(addr);
      this.#left.set(cluster, (this.#left.get(cluster) ?? 0) | pageBit(addr));
      const dirty = (entries[i] & DEVICE_PFN_DIRTY) === 0 ? 0 : 1;
      pages.outDirty += dirty;
      if (evicted) pages.outEvictedDirty += dirty;
      if (ranges === null) continue;
      ranges.move(addr, "bytesOut");
      if (evicted) ranges.move(addr, "bytesOutEvicted");
    }
    if (this.events !== null) publishOut(this.events, moved, this.#number, evicted);
    pages.out += moved.length;
    if (evicted) pages.outEvicted += moved.length;
    return moved;
  }

  /** Returns what was counted so far. */
  counts(): DeviceCounts {
    const { pages, evictions, invalidations } = this;
    return {
      device: trafficOf(pages),
      evictions,
      invalidations: sum(invalidations),
      invalidationsByEvent: { ...invalidations },
    };
  }

  /** Tells of pages that came: runs that were copied, and runs that were made. */
  #publishIn(events: SimulationEvents, start: number, src: Uint32Array): void {
    const kindOf = (word: number): number => {
      if ((word & MIGRATE_PFN_MIGRATE) === 0) return 0;
      return this.#hostFirst || (word & MIGRATE_PFN_VALID) !== 0 ? 2 : 1;
    };
    for (let i = 0; i < src.length;) {
      const kind = kindOf(src[i]);
      const first = i;
      while (i < src.length && kindOf(src[i]) === kind) i++;
      if (kind === 0) continue;
      const [address, pages] = [start + first * PAGE_SIZE, i - first];
      if (kind === 2) {
        events.transfer(address, pages * PAGE_SIZE, "toDevice", "fault");
        events.left(address, pages, 0);
      }
      events.arrived(address, pages, this.#number, kind === 2);
    }
  }

  /** Counts an invalidation by its event. */
  invalidated(event: number): void {
    this.events?.invalidated();
    const { invalidations } = this;
    switch (event) {
      case MMU_NOTIFY_MIGRATE:
        invalidations.migrate++;
        break;
      case MMU_NOTIFY_CLEAR:
        invalidations.clear++;
        break;
      case MMU_NOTIFY_PROTECTION_VMA:
      case MMU_NOTIFY_PROTECTION_PAGE:
        invalidations.protection++;
        break;
      case MMU_NOTIFY_UNMAP:
        invalidations.unmap++;
        break;
      default:
        invalidations.other++;
    }
  }

  /** The ranges whose moves are counted; null if there are none. */
  get #named(): RangeCounts | null {
    return this.ranges === null || this.ranges.empty ? null : this.ranges;
  }
}

/** Tells of pages that went to RAM, whose addresses ascend: a transfer for each run of neighbors. */
function publishOut(
  events: SimulationEvents,
  moved: readonly number[],
  from: number,
  evicted: boolean,
): void {
  for (let i = 0; i < moved.length;) {
    const first = i;
    do i++;
    while (i < moved.length && moved[i] === moved[i - 1] + PAGE_SIZE);
    const pages = i - first;
    events.transfer(moved[first], pages * PAGE_SIZE, "toHost", evicted ? "eviction" : "fault");
    events.left(moved[first], pages, from);
    events.arrived(moved[first], pages, 0, true);
  }
}

/** The number of the 64 KiB in which an address lies. */
function clusterAt(addr: number): number {
  return Math.floor(addr / CLUSTER_SIZE);
}

/** The bit of a page in its cluster's word. */
function pageBit(addr: number): number {
  return 1 << ((addr / PAGE_SIZE) & (CLUSTER_PAGES - 1));
}
