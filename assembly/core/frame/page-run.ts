// Allocating several frames that follow each other: a large folio of 16 KiB to 1 MiB, or a run of swap slots.

import { BLOCK_BITMAP, BLOCK_NEXT, BLOCK_PFN, FOLIO_HEAD, FOLIO_TAIL } from "../../abi/frame";
import { LARGE_PAGES, mayAllocate } from "../base/layout";
import { allocBlock, initFrame, tookFrames } from "./page-alloc";
import { zoneOf } from "./zone";

/**
 * The address of the bitmap word where a block has 2^order free frames from an aligned one on; 0: nowhere.
 */
function findRun(block: usize, order: u32): usize {
  const last = block + BLOCK_BITMAP + 64;
  if (order > 6) {
    const words = (<usize>1) << (order - 6);
    for (let word = block + BLOCK_BITMAP; word < last; word += words * 8) {
      let all: u64 = ~(<u64>0);
      for (let i: usize = 0; i < words; i++) all &= load<u64>(word + i * 8);
      if (all == ~(<u64>0)) return word;
    }
    return 0;
  }
  for (let word = block + BLOCK_BITMAP; word < last; word += 8)
    if (alignedRun(load<u64>(word), order) < 64) return word;
  return 0;
}

/** The index of the first of 2^order set bits of a word, from an aligned one on; 64: there are none. */
function alignedRun(word: u64, order: u32): u32 {
  const n: u32 = 1 << order;
  const mask: u64 = n == 64 ? ~(<u64>0) : ((<u64>1) << n) - 1;
  for (let at: u32 = 0; at < 64; at += n) if (((word >> at) & mask) == mask) return at;
  return 64;
}

/**
 * Allocates 2^order frames (order 2 to 9) of a zone that begin at a multiple of their number, with one
 * reference each, as a large folio if `large`. Returns the first pfn, or 0. /
 */
export function allocRun(zone: u32, order: u32, large: bool): u32 {
  if (!mayAllocate()) return 0;
  const z = zoneOf(zone);
  const n: u32 = 1 << order;
  if (z.freePages < z.tables + n) return 0;
  if (n == LARGE_PAGES) return allocBlock(zone, false);
  let block: usize = z.partialBlocks;
  let word: usize = 0;
  for (; block && !word; block = word ? block : load<u32>(block, BLOCK_NEXT)) word = findRun(block, order);
  if (!word) {
    block = z.freeBlocks;
    if (!block) return 0;
    word = block + BLOCK_BITMAP;
  }
  const at: u32 = order > 6 ? 0 : alignedRun(load<u64>(word), order);
  const first = load<u32>(block, BLOCK_PFN) + <u32>(word - block) * 8 + at;
  for (let i: u32 = 0; i < n; i++) {
    const bits = block + BLOCK_BITMAP + (((first + i) & 511) >> 6) * 8;
    store<u64>(bits, load<u64>(bits) & ~((<u64>1) << ((first + i) & 63)));
    initFrame(first + i, large ? (i ? FOLIO_TAIL : FOLIO_HEAD) : 0);
  }
  tookFrames(zone, block, n);
  return first;
}
