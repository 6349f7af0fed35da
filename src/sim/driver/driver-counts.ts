/** What the managed driver counts of a processor, beside transfers. Pages are of 4 KiB. */
import { addBits, countBits, isEmpty, keepBits, newBits, removeBits, type Bits } from "./bits.ts";
import { together } from "../counts.ts";
import { CPU, NOWHERE, type Processor } from "./processor.ts";
import type { VaBlock } from "./va-block.ts";

/** The counts; all begin at 0. */
export interface DriverCounts {
  /** Faults of the CPU: all, those that made a page, and those that brought one from a device. */
  cpuFaults: number;
  cpuFaultsMade: number;
  cpuFaultsMoved: number;
  /** Pages that the devices' batches asked for: all, and those that were mapped where they are. */
  devicePages: number;
  devicePagesMapped: number;
  /** Batches that were fetched from fault buffers, and their entries and duplicates. */
  groups: number;
  entries: number;
  duplicates: number;
  /** Batches after which the buffer was flushed up to a new PUT. */
  putFlushes: number;
  /** Pages that were made where nobody held them: by the CPU's faults, and the devices'. */
  madeInRam: number;
  madeOnDevice: number;
  /**
   * Pages that came to a device: all, those that were copied from RAM, those from another device over a link,
   * and those that had left it before.
   */
  pagesIn: number;
  pagesCopied: number;
  pagesFromPeers: number;
  pagesInAgain: number;
  /** Pages that left a device: all, those that it had written, those that were evicted, and both. */
  pagesOut: number;
  pagesOutDirty: number;
  pagesOutEvicted: number;
  pagesOutEvictedDirty: number;
  /** Chunks of 2 MiB that were evicted, with at least one page. */
  evictions: number;
  /** Most pages on devices at one time, and pages on devices now. */
  pagesPeak: number;
  pagesNow: number;
  /** Pages that came to a device by prefetch, those of them that it used, and those that left it before. */
  prefetched: number;
  prefetchedUsed: number;
  prefetchedUnused: number;
  /** Faults that thrashing detection had wait, and those that it pinned. */
  throttles: number;
  pins: number;
  /** Pages that were found to thrash. */
  thrashed: number;
  /** Notifications of access counters that were served. */
  notifications: number;
}

/** Returns counts of 0. */
export function newCounts(): DriverCounts {
  return {
    cpuFaults: 0,
    cpuFaultsMade: 0,
    cpuFaultsMoved: 0,
    devicePages: 0,
    devicePagesMapped: 0,
    groups: 0,
    entries: 0,
    duplicates: 0,
    putFlushes: 0,
    madeInRam: 0,
    madeOnDevice: 0,
    pagesIn: 0,
    pagesCopied: 0,
    pagesFromPeers: 0,
    pagesInAgain: 0,
    pagesOut: 0,
    pagesOutDirty: 0,
    pagesOutEvicted: 0,
    pagesOutEvictedDirty: 0,
    evictions: 0,
    pagesPeak: 0,
    pagesNow: 0,
    prefetched: 0,
    prefetchedUsed: 0,
    prefetchedUnused: 0,
    throttles: 0,
    pins: 0,
    thrashed: 0,
    notifications: 0,
  };
}

/** Returns the counts of all processors together. `pagesPeak` is of no use in it. */
export function totalOf(counts: readonly DriverCounts[]): DriverCounts {
  return counts.reduce((sum, one) => together(sum, one));
}

/**
 * Counts pages that come to a processor.
 * @param from whose copy it is: the CPU's, also of pages that come by way of RAM; or that of a device over a
 * link; NOWHERE: they are made
 */
export function countIn(
  counts: DriverCounts,
  block: VaBlock,
  pages: Bits,
  to: Processor,
  from: Processor,
): void {
  const n = countBits(pages);
  if (to === CPU) {
    if (from === NOWHERE) counts.madeInRam += n;
    return;
  }
  counts.pagesIn += n;
  if (from === NOWHERE) counts.madeOnDevice += n;
  else if (from === CPU) counts.pagesCopied += n;
  else counts.pagesFromPeers += n;
  counts.pagesInAgain += countOf(pages, block.left[to]);
  counts.pagesNow += n;
  counts.pagesPeak = Math.max(counts.pagesPeak, counts.pagesNow);
}

/**
 * Counts pages that leave a processor, and forgets what the block knows of their stay on a device. Returns
 * those that came along with others, and leave without a use.
 */
export function countOut(
  counts: DriverCounts,
  block: VaBlock,
  pages: Bits,
  from: Processor,
  evicted: boolean,
): Bits {
  const unused = newBits();
  if (from === CPU || isEmpty(pages)) return unused;
  const n = countBits(pages);
  counts.pagesOut += n;
  counts.pagesNow -= n;
  const dirty = countOf(pages, block.dirty[from]);
  counts.pagesOutDirty += dirty;
  if (evicted) {
    counts.pagesOutEvicted += n;
    counts.pagesOutEvictedDirty += dirty;
  }
  addBits(unused, pages);
  keepBits(unused, block.prefetched[from]);
  removeBits(unused, block.touched[from]);
  counts.prefetchedUnused += countBits(unused);
  for (const bits of [block.dirty, block.touched, block.prefetched]) removeBits(bits[from], pages);
  return unused;
}

/** How many of `pages` are in `bits`. */
function countOf(pages: Bits, bits: Bits): number {
  const both = pages.slice();
  keepBits(both, bits);
  return countBits(both);
}
