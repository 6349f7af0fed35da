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
import { sum, type DeviceCounts, type Invalidations } from "./counts.ts";
import type { RangeCounts } from "./range-counts.ts";

/** In src: a page, and no hole, that may move. */
export const COLLECTED = (MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE) >>> 0;

/** Counts of pages and clusters. */
export interface PageCounts {
  in: number;
  copied: number;
  inAgain: number;
  out: number;
  outDirty: number;
  outEvicted: number;
  evictions: number;
}

/** What a snapshot keeps of the driver, beside the engine. */
export interface DeviceState {
  pages: PageCounts;
  peak: number;
  invalidations: Invalidations;
  left: [cluster: number, pages: number][];
}

/** The books of a device. */
export class DeviceBooks {
  readonly pages: PageCounts = {
    in: 0,
    copied: 0,
    inAgain: 0,
    out: 0,
    outDirty: 0,
    outEvicted: 0,
    evictions: 0,
  };
  /** The most pages that were in the device's memory at one time, since it was last set. */
  peak = 0;
  readonly invalidations: Invalidations = { migrate: 0, clear: 0, protection: 0, unmap: 0, other: 0 };
  /** Is told where pages move; the simulation sets it. */
  ranges: RangeCounts | null = null;
  /** By cluster: the pages that have left the device, a bit each. */
  readonly #left: Map<number, number>;

  constructor(state?: DeviceState) {
    this.#left = new Map(state?.left);
    if (state === undefined) return;
    Object.assign(this.pages, state.pages);
    Object.assign(this.invalidations, state.invalidations);
    this.peak = state.peak;
  }

  state(): DeviceState {
    const { pages, peak, invalidations } = this;
    return { pages, peak, invalidations, left: [...this.#left] };
  }

  /** Notes that a migration has moved `moved` pages in; the device has `all` now. */
  pagesIn(start: number, src: Uint32Array, moved: number, all: number): void {
    const { pages } = this;
    const left = this.#left.get(Math.floor(start / CLUSTER_SIZE)) ?? 0;
    const ranges = this.#named;
    for (let i = 0; i < src.length; i++) {
      if ((src[i] & MIGRATE_PFN_MIGRATE) === 0) continue;
      if (ranges !== null) ranges.move(start + i * PAGE_SIZE, "bytesIn");
      if ((src[i] & MIGRATE_PFN_VALID) !== 0) pages.copied++;
      if ((left & pageBit(start + i * PAGE_SIZE)) !== 0) pages.inAgain++;
    }
    pages.in += moved;
    this.peak = Math.max(this.peak, all);
  }

  /**
   * Notes that a migration has moved pages to RAM, which had these entries in the device's table. Returns
   * their addresses.
   */
  pagesOut(start: number, src: Uint32Array, entries: Uint32Array): number[] {
    const moved: number[] = [];
    const cluster = Math.floor(start / CLUSTER_SIZE);
    let left = this.#left.get(cluster) ?? 0;
    const ranges = this.#named;
    for (let i = 0; i < src.length; i++) {
      if ((src[i] & COLLECTED) >>> 0 !== COLLECTED) continue;
      const addr = start + i * PAGE_SIZE;
      moved.push(addr);
      left |= pageBit(addr);
      if (ranges !== null) ranges.move(addr, "bytesOut");
      if ((entries[i] & DEVICE_PFN_DIRTY) !== 0) this.pages.outDirty++;
    }
    this.#left.set(cluster, left);
    this.pages.out += moved.length;
    return moved;
  }

  /** Notes that the cluster of these pages, which have moved to RAM, was evicted. */
  evicted(moved: readonly number[]): void {
    const ranges = this.#named;
    if (ranges !== null) for (const addr of moved) ranges.move(addr, "bytesOutEvicted");
    this.pages.outEvicted += moved.length;
    this.pages.evictions++;
  }

  /** Returns what was counted so far. */
  counts(): DeviceCounts {
    const { pages, invalidations } = this;
    return {
      device: {
        bytesIn: PAGE_SIZE * pages.in,
        bytesCopied: PAGE_SIZE * pages.copied,
        bytesInAgain: PAGE_SIZE * pages.inAgain,
        bytesOut: PAGE_SIZE * pages.out,
        bytesOutDirty: PAGE_SIZE * pages.outDirty,
        bytesOutEvicted: PAGE_SIZE * pages.outEvicted,
      },
      evictions: pages.evictions,
      invalidations: sum(invalidations),
      invalidationsByEvent: { ...invalidations },
    };
  }

  /** Counts an invalidation by its event. */
  invalidated(event: number): void {
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

/** The bit of a page in its cluster's word. */
function pageBit(addr: number): number {
  return 1 << ((addr / PAGE_SIZE) & (CLUSTER_PAGES - 1));
}
