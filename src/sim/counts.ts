/** What is counted while accesses are replayed, for a whole run and for each of its parts. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { combineSizes, type PagingCounts, type SizeCount } from "./paging-counts.ts";

/** The loads and stores of the CPU or the device; a modify is one of each. */
export interface Accesses {
  loads: number;
  stores: number;
}

/**
 * The device's loads and stores, and how many of them were of RAM, over its link, or of another device's
 * memory; the others were of its own memory.
 */
export interface DeviceAccesses extends Accesses {
  ram: Accesses;
  peer: Accesses;
}

/** What accesses over links between devices were. */
export interface PeerWork extends Accesses {
  bytesLoaded: number;
  bytesStored: number;
}

/** What went over a device's link to another one. */
export interface LinkCounts extends PeerWork {
  /** Bytes of pages that came from there. */
  bytesIn: number;
}

/** CPU faults by what they did. */
export interface CpuFaults {
  /** A read of untouched memory: the zero page was mapped. */
  zero: number;
  /** The first write to untouched memory: a fresh page. */
  anon: number;
  /** The first write after a read of untouched memory: a copy of the zero page. */
  cow: number;
  /** A write to a read-only page that belonged to this process alone. */
  reuse: number;
  /** The page was in device memory and came back. */
  device: number;
  /** All others: another fault had mapped the page. */
  other: number;
}

/** Device faults by what the driver did. */
export interface DeviceFaults {
  /** Moved the cluster to device memory. */
  migrate: number;
  /** Mapped the page, and what is present of its cluster, where it is. */
  mirror: number;
}

/** Invalidations by the reason why the CPU's table was about to change (Linux's mmu_notifier_event). */
export interface Invalidations {
  migrate: number;
  clear: number;
  protection: number;
  unmap: number;
  other: number;
}

/** Bytes that came to device memory and left it. */
export interface DeviceTraffic {
  /**
   * Bytes that came to be in device memory: bytesCopied moved there from RAM, bytesFromPeers from other
   * devices, and the rest was made there.
   */
  bytesIn: number;
  bytesCopied: number;
  /** Of bytesIn: bytes that came from another device, over the link between the two. */
  bytesFromPeers: number;
  /** Of bytesIn: bytes of pages that had left the device before. Thrashing. */
  bytesInAgain: number;
  /** Bytes that left it: evicted, or because the CPU touched them or a page of their cluster. */
  bytesOut: number;
  /** Of bytesOut: bytes of pages that the device had written since they came in. */
  bytesOutDirty: number;
  bytesOutEvicted: number;
  /** Pages that came to be in device memory, first touches and prefetched ones included. */
  pagesIn: number;
  /** Of these, pages that had left before. */
  pagesInAgain: number;
  /** Evicted pages that the device had written since they came in, and those that it had not. */
  pagesOutDirty: number;
  pagesOutClean: number;
}

/** Pages that came to device memory and left it, by the meanings that DeviceTraffic has. */
export interface PageTraffic {
  in: number;
  copied: number;
  fromPeers: number;
  inAgain: number;
  out: number;
  outDirty: number;
  outEvicted: number;
  outEvictedDirty: number;
}

/** Returns the traffic of these pages. */
export function trafficOf(pages: PageTraffic): DeviceTraffic {
  return {
    bytesIn: PAGE_SIZE * pages.in,
    bytesCopied: PAGE_SIZE * pages.copied,
    bytesFromPeers: PAGE_SIZE * pages.fromPeers,
    bytesInAgain: PAGE_SIZE * pages.inAgain,
    bytesOut: PAGE_SIZE * pages.out,
    bytesOutDirty: PAGE_SIZE * pages.outDirty,
    bytesOutEvicted: PAGE_SIZE * pages.outEvicted,
    pagesIn: pages.in,
    pagesInAgain: pages.inAgain,
    pagesOutDirty: pages.outEvictedDirty,
    pagesOutClean: pages.outEvicted - pages.outEvictedDirty,
  };
}

/** What the driver of a device, or of several, has counted. */
export interface DeviceCounts extends PagingCounts {
  device: DeviceTraffic;
  /** Clusters that were moved out to make room. */
  evictions: number;
  /** Notices to the device that a range of the CPU's table was about to change: the sum of the next. */
  invalidations: number;
  invalidationsByEvent: Invalidations;
}

/** What only managed memory counts; all 0 under another memory model. */
export interface ManagedCounts {
  /**
   * Batches of device faults that the driver fetched (fault groups), their entries, and duplicates among
   * them.
   */
  groups: number;
  entries: number;
  duplicates: number;
  /** Batches after which the fault buffer was flushed up to a new PUT. */
  putFlushes: number;
  /** Transfers: runs of pages that were copied at once. */
  transfersToDevice: number;
  bytesToDevice: number;
  transfersToHost: number;
  bytesToHost: number;
  /**
   * Bytes that came to the device along with others; of these, what it used, and what left it without a use.
   */
  bytesPrefetched: number;
  bytesPrefetchedUsed: number;
  bytesPrefetchedUnused: number;
  /** Distinct sectors of 32 bytes that the device's accesses to RAM touched. */
  remoteSectors: number;
  /**
   * Faults that had to wait because their page thrashes, faults that pinned it, and pages found to thrash.
   */
  throttles: number;
  pins: number;
  thrashed: number;
  /** Notifications of access counters. */
  notifications: number;
}

/** Counts of 0. */
export const NO_MANAGED_COUNTS: Readonly<ManagedCounts> = {
  groups: 0,
  entries: 0,
  duplicates: 0,
  putFlushes: 0,
  transfersToDevice: 0,
  bytesToDevice: 0,
  transfersToHost: 0,
  bytesToHost: 0,
  bytesPrefetched: 0,
  bytesPrefetchedUsed: 0,
  bytesPrefetchedUnused: 0,
  remoteSectors: 0,
  throttles: 0,
  pins: 0,
  thrashed: 0,
  notifications: 0,
};

/** What happened in a run, or in a part of one. */
export interface Counts extends DeviceCounts {
  accesses: { cpu: Accesses; device: DeviceAccesses };
  /** The sums of faultsByKind. */
  faults: { cpu: number; device: number };
  faultsByKind: { cpu: CpuFaults; device: DeviceFaults };
  managed: ManagedCounts;
  /** Picoseconds; 0 without a time model. */
  elapsed: number;
}

/** Numbers, sizes of transfers, and objects of them. */
type Tree = { [key: string]: number | readonly SizeCount[] | Tree };

/** Returns a tree and another one together, or with `sign` −1 the first without the second. */
function combine(a: Tree, b: Tree, sign: 1 | -1): Tree {
  const combined: Tree = {};
  for (const [key, value] of Object.entries(a)) {
    const other = b[key];
    if (typeof value === "number") combined[key] = value + sign * (other as number);
    else if (isSizes(value)) combined[key] = combineSizes(value, other as readonly SizeCount[], sign);
    else combined[key] = combine(value, other as Tree, sign);
  }
  return combined;
}

function isSizes(value: readonly SizeCount[] | Tree): value is readonly SizeCount[] {
  return Array.isArray(value);
}

/** Returns what was counted from `before` to `after`, which have the same keys. */
export function difference<T extends object>(after: T, before: T): T {
  return combine(after as Tree, before as Tree, -1) as T;
}

/** Returns the counts of two parts, or of two devices, together. The second has the keys of the first. */
export function together<T extends object>(one: T, other: T): T {
  return combine(one as Tree, other as Tree, 1) as T;
}

/** Returns the sum of an object's numbers. */
export function sum(counts: object): number {
  return (Object.values(counts) as number[]).reduce((total, value) => total + value, 0);
}
