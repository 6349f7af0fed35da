/**
 * The NVIDIA driver's density prefetcher (uvm_perf_prefetch.c). Pages of one VA block are the
 * leaves of a binary tree; a faulted page takes with it the largest node around it that is dense enough.
 */
import { BLOCK_PAGES, countBits, hasBit, nextBit, setRange, WORDS, type Bits } from "../driver/bits.ts";

/** Pages of a 64 KiB big page. */
const BIG_PAGES = 16;

/** What one service of a block is about: page numbers count from the block's start. */
export interface PrefetchQuery {
  /** Pages of the block, 1 to 512. */
  pages: number;
  /** Pages that are resident on the destination. */
  resident: Bits;
  /** Pages that faulted, and go to the destination. */
  faulted: Bits;
  /** Pages that thrash. */
  thrashing: Bits;
  /** Pages that need nothing: resident on the destination and mapped there. */
  done: Bits;
}

/** Chooses the pages that move along with a block's faulted pages: adds them to `out`, which is empty. */
export type Prefetcher = (query: PrefetchQuery, out: Bits) => void;

/** Adds the big pages that have a fault and no thrashing page; a tail below 64 KiB counts as one. */
function growToBigPages({ pages, faulted, thrashing }: PrefetchQuery, bits: Bits): void {
  for (let first = 0; first < pages; first += BIG_PAGES) {
    const end = Math.min(first + BIG_PAGES, pages);
    if (countBits(faulted, first, end) > 0 && countBits(thrashing, first, end) === 0)
      setRange(bits, first, end);
  }
}

/**
 * Returns the end of the largest node around `page` with set × 100 > pages × threshold, adding it to `out`.
 */
function addWinner(bits: Bits, page: number, pages: number, threshold: number, out: Bits): number {
  let [from, to] = [page, page];
  for (let size = 1; size <= BLOCK_PAGES; size *= 2) {
    const first = page - (page % size);
    const end = Math.min(first + size, pages);
    if (countBits(bits, first, end) * 100 > (end - first) * threshold) [from, to] = [first, end];
  }
  setRange(out, from, to);
  return Math.max(to, page + 1);
}

/**
 * Returns the prefetcher with a threshold in percent, 0 to 100; the driver's default is 51, and 100 fetches
 * nothing.
 *
 * The bitmap is what is resident on the destination or faulted, with each 64 KiB big page set whole that has
 * a fault and no thrashing page. From each faulted page that does not thrash, the largest node wins whose
 * pages are set to more than the threshold; smaller nodes on the way need not win. What wins does not change
 * the bitmap. Nodes are cut at the block's end. The result is the union of the winners, less faulted and
 * thrashing pages and less those of `done`.
 */
export function densityPrefetcher(threshold: number): Prefetcher {
  const bits = new Uint32Array(WORDS);
  return (query, out) => {
    const { pages, resident, faulted, thrashing, done } = query;
    for (let w = 0; w < WORDS; w++) bits[w] = resident[w] | faulted[w];
    growToBigPages(query, bits);
    for (let page = nextBit(faulted, 0); page < pages;) {
      // A fault inside of a winner has the same winner, as all larger nodes are the same for both.
      const end = hasBit(thrashing, page) ? page + 1 : addWinner(bits, page, pages, threshold, out);
      page = nextBit(faulted, end);
    }
    for (let w = 0; w < WORDS; w++) out[w] &= ~(faulted[w] | thrashing[w] | done[w]);
  };
}

/** Fetches nothing (uvm_perf_prefetch_enable 0). */
export const noPrefetcher: Prefetcher = () => {};

/**
 * Fetches the rest of each aligned 64 KiB with a fault and no thrashing page (UVM-Smart's `sl`, ISCA 2019, in
 * the driver's terms).
 */
export const bigPagePrefetcher: Prefetcher = (query, out) => {
  growToBigPages(query, out);
  const { faulted, thrashing, done } = query;
  for (let w = 0; w < WORDS; w++) out[w] &= ~(faulted[w] | thrashing[w] | done[w]);
};

/**
 * Takes the whole block where nothing of it is resident on any processor and its preferred location is the
 * destination (B1, step 2).
 */
export function wholeBlock({ pages, faulted, thrashing }: PrefetchQuery, out: Bits): void {
  setRange(out, 0, pages);
  for (let w = 0; w < WORDS; w++) out[w] &= ~(faulted[w] | thrashing[w]);
}
