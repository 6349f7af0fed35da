// Freeing frames: one, those of a bitmap word, those that an array names; and the queues of freed device
// pages, which become free when their driver has heard of them.

import { PMD_PAGES } from "../../uapi/page";
import { PFN_MASK } from "../../uapi/pfn";
import { BLOCK_FREE, BLOCK_ZONE, FOLIO_FREE, FOLIO_INDEX, FOLIO_SIZE } from "../../abi/frame";
import { HDR_DEVICE_BASE, HDR_FLAG_FREED, HDR_FLAGS, HDR_FOLIOS } from "../../abi/header";
import { header, setHeader } from "../base/layout";
import { DEBUG } from "../base/panic";
import { folioOf } from "./folio";
import { setWholeBlock } from "./order";
import { forgetUse, forgetUses, usesAreKept } from "./recency";
import { blockOf, listPush, listRemove, Zone, zoneOf } from "./zone";

/** Frees the frames of one word of a bitmap: those whose bits are set in `bits`. */
function freeBits(block: usize, word: usize, bits: u64): void {
  const z = zoneOf(load<u16>(block, BLOCK_ZONE));
  assert(!(load<u64>(word) & bits), "freeFrame: the frame is free");
  store<u64>(word, load<u64>(word) | bits);
  const n = <u32>popcnt(bits);
  const before = load<u16>(block, BLOCK_FREE);
  const free = before + n;
  store<u16>(block, free, BLOCK_FREE);
  z.freePages += n;
  if (!before) listPush(changetype<usize>(z) + offsetof<Zone>("partialBlocks"), block);
  if (free == PMD_PAGES) {
    listRemove(changetype<usize>(z) + offsetof<Zone>("partialBlocks"), block);
    listPush(changetype<usize>(z) + offsetof<Zone>("freeBlocks"), block);
  }
}

/** Makes a frame without references free. */
export function freeFrame(pfn: u32): void {
  const block = blockOf(pfn);
  freeBits(block, block + ((pfn & 511) >> 6) * 8, (<u64>1) << (pfn & 63));
}

/** Tells whether n words, a multiple of four, name neighbors in ascending order. */
@inline
function areNeighbors(words: usize, n: u32): bool {
  let next = i32x4.sub(i32x4.splat(load<u32>(words)), i32x4(0, -1, -2, -3));
  let other = v128.xor(v128.load(words), next);
  for (let at = words + 16; at < words + n * 4; at += 16) {
    next = i32x4.add(next, i32x4.splat(4));
    other = v128.or(other, v128.xor(v128.load(at), next));
  }
  return !v128.any_true(v128.and(other, i32x4.splat(PFN_MASK)));
}

/**
 * Calls freeFrame() for the pfns of the words from `at` on, skipping words of 0, up to the first pfn that is
 * not below `until`: neighbors are freed together. Returns the address of that word, or `last`.
 */
function freeRun(at: usize, last: usize, until: u32): usize {
  let group: u32 = 0; // pfn / 64
  let bits: u64 = 0;
  for (; at < last; at += 4) {
    const pfn = load<u32>(at) & PFN_MASK;
    if (pfn >= until) break;
    if (!pfn) {
      // Behind the first word of a unit there are 511 of 0.
      while (at + 32 <= last && !v128.any_true(v128.load(at, 4))) at += 16;
      continue;
    }
    if (pfn >> 6 != group) {
      if (bits) freeGroup(group, bits);
      group = pfn >> 6;
      bits = 0;
    }
    // Mostly they are neighbors: 64 or four at a time. None of them reaches `until`, which is the first pfn
    // of a block.
    if (at + 256 <= last && !(pfn & 63) && areNeighbors(at, 64)) {
      bits = -1;
      at += 252;
    } else if (at + 16 <= last && (pfn & 63) <= 60 && areNeighbors(at, 4)) {
      if (DEBUG)
        for (let i: u32 = 1; i < 4; i++) assert((load<u32>(at + i * 4) & PFN_MASK) == pfn + i, "freeRun");
      bits |= (<u64>15) << (pfn & 63);
      at += 12;
    } else bits |= (<u64>1) << (pfn & 63);
  }
  if (bits) freeGroup(group, bits);
  return at;
}

/** Frees, of the 64 frames from 64 * group on, those whose bits are set in `bits`. */
export function freeGroup(group: u32, bits: u64): void {
  const block = blockOf(group << 6);
  freeBits(block, block + (group & 7) * 8, bits);
}

/**
 * Frees the frames of a folio of 2 MiB that nobody refers to and that is charged to nobody: those of system
 * memory at once, device pages through their driver's queue.
 */
export function freeLarge(head: u32): void {
  const queued: u32 = head >= header(HDR_DEVICE_BASE) ? 1 : 0;
  setWholeBlock(head, false);
  // No references, memcg, mappings; the index of a queued page is the next one's pfn.
  let record = i32x4(0, 0, queued * (head + 1), FOLIO_FREE << 16);
  const first = changetype<usize>(folioOf(head));
  const last = first + PMD_PAGES * FOLIO_SIZE;
  for (let at = first; at < last; at += FOLIO_SIZE) {
    v128.store(at, record);
    record = i32x4.add(record, i32x4(0, 0, queued, 0));
  }
  const end = head + PMD_PAGES;
  if (!queued) {
    for (let group = head >> 6; group < end >> 6; group++) freeGroup(group, -1);
    return;
  }
  if (usesAreKept()) for (let pfn = head; pfn < end; pfn++) forgetUse(pfn);
  queue(zoneOf(load<u16>(blockOf(head), BLOCK_ZONE)), head, end - 1, PMD_PAGES);
}

/** TypeScript looks at the queues only if the flag is set. */
@inline
function noteFreed(): void {
  setHeader(HDR_FLAGS, header(HDR_FLAGS) | HDR_FLAG_FREED);
}

/** Adds n freed pages to a zone's queue, which their indexes link from the first one to the last. */
@inline
function queue(z: Zone, first: u32, last: u32, n: u32): void {
  folioOf(last).index = 0;
  if (z.freedTail) folioOf(z.freedTail).index = first;
  else z.freedHead = first;
  z.freedTail = last;
  z.freedCount += n;
  noteFreed();
}

/**
 * Queues a freed device page: its driver has to know, so the frame stays taken until takeFreed() reports it.
 */
export function queueFreed(pfn: u32): void {
  forgetUse(pfn);
  queue(zoneOf(load<u16>(blockOf(pfn), BLOCK_ZONE)), pfn, pfn, 1);
}

/**
 * Frees the frames that n words name, whose records clearFolio() has reset: frames of system memory at once,
 * device pages through their drivers' queues. Words of 0 are skipped.
 */
export function freePages(words: usize, n: u32): void {
  forgetUses(words, n);
  const base = header(HDR_DEVICE_BASE);
  const last = words + n * 4;
  for (let at = words; at < last;) {
    at = freeRun(at, last, base);
    if (at < last) at = queueRun(at, last);
  }
}

/**
 * Calls queueFreed() for the words from `at` on whose pages lie in the block of the first. Returns the
 * address after them.
 */
@inline
function queueRun(at: usize, last: usize): usize {
  const first = load<u32>(at) & PFN_MASK;
  const start = at;
  const indexes = header(HDR_FOLIOS) + FOLIO_INDEX;
  let tail = first;
  for (at += 4; at < last; at += 4) {
    const pfn = load<u32>(at) & PFN_MASK;
    if (pfn >> 9 != first >> 9) break;
    store<u32>(indexes + tail * FOLIO_SIZE, pfn);
    tail = pfn;
  }
  queue(zoneOf(load<u16>(blockOf(first), BLOCK_ZONE)), first, tail, (<u32>(at - start)) >> 2);
  return at;
}

/**
 * Frees up to `max` pages of the zone's queue, oldest first, and stores their pfns at `out`. Returns their
 * number.
 */
export function takeFreed(zone: u32, out: usize, max: u32): u32 {
  const z = zoneOf(zone);
  let pfn = z.freedHead;
  let n: u32 = 0;
  while (pfn && n < max) {
    store<u32>(out + n * 4, pfn);
    n++;
    const next = folioOf(pfn).index;
    // Mostly it is the neighbor: a right guess need not wait for the load.
    if (next == pfn + 1) pfn++;
    else pfn = next;
  }
  z.freedHead = pfn;
  if (!pfn) z.freedTail = 0;
  z.freedCount -= n;
  freeRun(out, out + n * 4, PFN_MASK + 1);
  return n;
}
