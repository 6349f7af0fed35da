// The frame allocator. A block's bitmap says which of its frames are free. Single frames come from partly free blocks in
// ascending order, so that wholly free blocks last as long as they can: each is room for a huge page.

import { PMD_PAGES } from "../../uapi/page";
import { PFN_MASK } from "../../uapi/pfn";
import { PTE_SPECIAL } from "../../uapi/pte";
import {
  BLOCK_BITMAP,
  BLOCK_FREE,
  BLOCK_LIVE,
  BLOCK_PFN,
  BLOCK_SIZE,
  BLOCK_ZONE,
  FOLIO_FLAGS,
  FOLIO_FREE,
  FOLIO_HEAD,
  FOLIO_INDEX,
  FOLIO_LARGE,
  FOLIO_LOCKED,
  FOLIO_MAPPING,
  FOLIO_REFERENCED,
  FOLIO_RESERVED,
  FOLIO_SIZE,
  FOLIO_TAIL,
} from "../../abi/frame";
import {
  HDR_DEVICE_BASE,
  HDR_EXTERNAL_REFS,
  HDR_FOLIOS,
  HDR_HUGETLB,
  HDR_HUGETLB_FREE,
  HEADER,
} from "../../abi/header";
import { RESOURCE_DEVICE_MEMORY, RESOURCE_SYSTEM_MEMORY } from "../../abi/pool";
import { ZONE_SIZE } from "../../abi/zone";
import { exhausted, header, LARGE_PAGES, mayAllocate, setHeader } from "../base/layout";
import { pteFlags, ptePfn } from "../base/pte";
import { Folio, folioOf, isDevicePfn } from "./folio";
import { memcgUncharge } from "./memcg";
import { lruRemove, lruRemoveAll } from "./recency";
import { blockOf, listPush, listRemove, Zone, ZONE_IN_USE, zoneOf } from "./zone";

/** Makes [first, end) a zone's free frames. Blocks that it covers in part start partly free. */
export function zoneInit(zone: u32, first: u32, end: u32, owner: u32): void {
  const z = zoneOf(zone);
  memory.fill(changetype<usize>(z), 0, ZONE_SIZE);
  z.flags = ZONE_IN_USE;
  z.pfnFirst = first;
  z.pfnEnd = end;
  z.owner = owner;
  z.freePages = end - first;
  for (let last = end; last > first;) {
    const from = max((last - 1) & ~(PMD_PAGES - 1), first);
    const block = blockOf(from);
    memory.fill(block, 0, BLOCK_SIZE);
    for (let pfn = from; pfn < last; pfn++) {
      const word = block + ((pfn & 511) >> 6) * 8;
      store<u64>(word, load<u64>(word) | ((<u64>1) << (pfn & 63)));
      folioOf(pfn).flags = <u16>FOLIO_FREE;
    }
    store<u16>(block, <u16>(last - from), BLOCK_FREE);
    store<u16>(block, <u16>zone, BLOCK_ZONE);
    store<u32>(block, from & ~(PMD_PAGES - 1), BLOCK_PFN);
    listPush(
      changetype<usize>(z) +
        (last - from == PMD_PAGES ? offsetof<Zone>("freeBlocks") : offsetof<Zone>("partialBlocks")),
      block,
    );
    last = from;
  }
}

/** The block that the zone's next frame comes from; 0 where none is free. */
@inline
export function blockWithFree(zone: u32): usize {
  const z = zoneOf(zone);
  const block: usize = z.partialBlocks ? z.partialBlocks : z.freeBlocks;
  if (!block) exhausted(zone ? RESOURCE_DEVICE_MEMORY : RESOURCE_SYSTEM_MEMORY);
  return block;
}

/** A free frame gets its first reference, and `flags`. */
@inline
export function initFrame(pfn: u32, flags: u32): void {
  const folio = changetype<usize>(folioOf(pfn));
  assert(load<u16>(folio, FOLIO_FLAGS) == FOLIO_FREE, "allocFrame: the frame is in use");
  store<u64>(folio, 1); // one reference, no memcg, no mapping
  store<u32>(folio, flags << 16, FOLIO_MAPPING); // and flags
}

/** `taken` of the block's frames are free no more: 64 at most, and fewer than all. */
@inline
export function tookFrames(zone: u32, block: usize, taken: u32): void {
  if (!taken) return;
  const z = zoneOf(zone);
  const before = <u32>load<u16>(block, BLOCK_FREE);
  store<u16>(block, before - taken, BLOCK_FREE);
  if (before == LARGE_PAGES) {
    listRemove(changetype<usize>(z) + offsetof<Zone>("freeBlocks"), block);
    listPush(changetype<usize>(z) + offsetof<Zone>("partialBlocks"), block);
  } else if (before == taken) listRemove(changetype<usize>(z) + offsetof<Zone>("partialBlocks"), block);
  z.freePages -= taken;
}

/** A frame of the zone with one reference and no flags, or 0. Its bytes are what they were. */
export function allocFrame(zone: u32): u32 {
  if (!mayAllocate()) return 0;
  const block = blockWithFree(zone);
  if (!block) return 0;
  let word = block + BLOCK_BITMAP;
  while (!load<u64>(word)) word += 8;
  const bits = load<u64>(word);
  store<u64>(word, bits & (bits - 1));
  tookFrames(zone, block, 1);
  const pfn = load<u32>(block, BLOCK_PFN) + <u32>(word - block) * 8 + <u32>ctz(bits);
  initFrame(pfn, 0);
  return pfn;
}

/** A large folio: a wholly free block, whose frames have one reference each. Its first pfn, or 0; then nothing is lost. */
export function allocLarge(zone: u32): u32 {
  if (!mayAllocate()) return 0;
  const z = zoneOf(zone);
  const block: usize = z.freeBlocks;
  if (!block) return 0;
  listRemove(changetype<usize>(z) + offsetof<Zone>("freeBlocks"), block);
  memory.fill(block + BLOCK_BITMAP, 0, 64);
  store<u16>(block, 0, BLOCK_FREE);
  store<u32>(block, LARGE_PAGES, BLOCK_LIVE);
  z.freePages -= LARGE_PAGES;
  const first = load<u32>(block, BLOCK_PFN);
  for (let i: u32 = 0; i < LARGE_PAGES; i++) initFrame(first + i, i ? FOLIO_TAIL : FOLIO_HEAD);
  return first;
}

/** A large folio is one no more: what nobody refers to is free, the other frames are pages like any. */
export function dissolveLarge(first: u32): void {
  for (let pfn = first; pfn < first + LARGE_PAGES; pfn++) {
    const folio = folioOf(pfn);
    folio.clear(FOLIO_LARGE);
    if (!folio.refcount) releasePage(pfn, folio);
  }
}

/** The last reference to a part of a large folio is gone: the folio is freed as a whole, with its last part. */
function releasePart(pfn: u32): void {
  const block = blockOf(pfn);
  const live = load<u32>(block, BLOCK_LIVE) - 1;
  store<u32>(block, live, BLOCK_LIVE);
  if (live) return;
  const head = pfn & ~(LARGE_PAGES - 1);
  if (folioOf(head).has(FOLIO_RESERVED)) keepHugetlb(head);
  else dissolveLarge(head);
}

/** A hugetlb page that nobody refers to goes to the list of free ones. */
export function keepHugetlb(head: u32): void {
  for (let i: u32 = 0; i < LARGE_PAGES; i++) {
    clearFolio(folioOf(head + i));
    folioOf(head + i).flags = <u16>(FOLIO_RESERVED | (i ? FOLIO_TAIL : FOLIO_HEAD));
  }
  listPush(HEADER + HDR_HUGETLB, blockOf(head));
  setHeader(HDR_HUGETLB_FREE, header(HDR_HUGETLB_FREE) + 1);
}

/** A free hugetlb page, whose frames have one reference each; 0 when there is none. */
export function takeHugetlb(): u32 {
  const block: usize = header(HDR_HUGETLB);
  if (!block || !mayAllocate()) return 0;
  listRemove(HEADER + HDR_HUGETLB, block);
  setHeader(HDR_HUGETLB_FREE, header(HDR_HUGETLB_FREE) - 1);
  store<u32>(block, LARGE_PAGES, BLOCK_LIVE);
  const head = load<u32>(block, BLOCK_PFN);
  for (let i: u32 = 0; i < LARGE_PAGES; i++) folioOf(head + i).refs = 1;
  return head;
}

/** Puts the frames of one bitmap word back: those of `bits`. */
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

/** Puts a frame that nobody refers to back on its zone's lists. */
export function freeFrame(pfn: u32): void {
  const block = blockOf(pfn);
  freeBits(block, block + ((pfn & 511) >> 6) * 8, (<u64>1) << (pfn & 63));
}

/** Are the pfns of four words neighbours, in ascending order? */
@inline
function areNeighbours(words: usize): bool {
  const next = i32x4.sub(i32x4.splat(load<u32>(words)), i32x4(0, -1, -2, -3));
  return !v128.any_true(v128.and(v128.xor(v128.load(words), next), i32x4.splat(PFN_MASK)));
}

/**
 * freeFrame() of the pfn in each word from `at` on that is not 0, as long as it is below `until`: neighbours go back together.
 * The first word that is left.
 */
function freeRun(at: usize, last: usize, until: u32): usize {
  let group: u32 = 0; // pfn / 64
  let bits: u64 = 0;
  for (; at < last; at += 4) {
    const pfn = load<u32>(at) & PFN_MASK;
    if (pfn >= until) break;
    if (!pfn) continue;
    if (pfn >> 6 != group) {
      if (bits) freeGroup(group, bits);
      group = pfn >> 6;
      bits = 0;
    }
    // Mostly they are neighbours: four at a time. `until` does not come between them, as it is a block's first.
    if (at + 16 <= last && (pfn & 63) <= 60 && areNeighbours(at)) {
      bits |= (<u64>15) << (pfn & 63);
      at += 12;
    } else bits |= (<u64>1) << (pfn & 63);
  }
  if (bits) freeGroup(group, bits);
  return at;
}

/** Frees the frames of `bits` among the 64 from 64 * group on. */
export function freeGroup(group: u32, bits: u64): void {
  const block = blockOf(group << 6);
  freeBits(block, block + (group & 7) * 8, bits);
}

/** References that callers hold beyond what the engine itself can explain: so that verify() can add up. */
@inline
export function addExternalRefs(by: i32): void {
  setHeader(HDR_EXTERNAL_REFS, header(HDR_EXTERNAL_REFS) + by);
}


@inline
export function getPage(pfn: u32): void {
  folioOf(pfn).refs++;
}

/** mark_page_accessed, for a page that get_user_pages has got at. */
@inline
export function markAccessed(pte: u64): void {
  if (!(pteFlags(pte) & PTE_SPECIAL)) folioOf(ptePfn(pte)).set(FOLIO_REFERENCED);
}

/** Drops a reference; the last one frees the page. */
@inline
export function putPage(pfn: u32): void {
  const folio = folioOf(pfn);
  const refs = folio.refs - 1;
  folio.refs = refs;
  if (!(refs & 0xffffff)) releasePage(pfn, folio);
}

/** Nobody's any more; its frame is still to be freed. */
@inline
export function clearFolio(folio: Folio): void {
  store<u64>(changetype<usize>(folio), 0); // references, memcg, mappings
  store<u32>(changetype<usize>(folio), FOLIO_FREE << 16, FOLIO_MAPPING); // and flags
}

function releasePage(pfn: u32, folio: Folio): void {
  assert(!folio.mapcount, "releasePage: the page is mapped");
  assert(!folio.has(FOLIO_LOCKED), "releasePage: the page is locked");
  if (folio.has(FOLIO_LARGE)) return releasePart(pfn);
  if (folio.memcg) memcgUncharge(folio.memcg);
  clearFolio(folio);
  if (isDevicePfn(pfn)) queueFreed(pfn, folio);
  else freeFrame(pfn);
}

/** A device page's end is news for its driver: it waits here, in order, until takeFreed(). */
function queueFreed(pfn: u32, folio: Folio): void {
  const z = zoneOf(load<u16>(blockOf(pfn), BLOCK_ZONE));
  lruRemove(pfn);
  folio.index = 0;
  if (z.freedTail) folioOf(z.freedTail).index = pfn;
  else z.freedHead = pfn;
  z.freedTail = pfn;
  z.freedCount++;
}

/** The pages of the words that are not 0, whose folios are free already: back they go, or to their drivers' queues. */
export function freePages(words: usize, n: u32): void {
  lruRemoveAll(words, n);
  const base = header(HDR_DEVICE_BASE);
  const last = words + n * 4;
  for (let at = words; at < last;) {
    at = freeRun(at, last, base);
    if (at < last) at = queueRun(at, last);
  }
}

/** queueFreed() of the words from `at` on whose pages are in the block of the first one. The word after. */
@inline
function queueRun(at: usize, last: usize): usize {
  let pfn = load<u32>(at) & PFN_MASK;
  const block = pfn >> 9;
  const z = zoneOf(load<u16>(blockOf(pfn), BLOCK_ZONE));
  const start = at;
  const indexes = header(HDR_FOLIOS) + FOLIO_INDEX;
  let tail = z.freedTail;
  if (!tail) z.freedHead = pfn;
  do {
    if (tail) store<u32>(indexes + tail * FOLIO_SIZE, pfn);
    tail = pfn;
    at += 4;
    pfn = at < last ? load<u32>(at) & PFN_MASK : 0;
  } while (pfn >> 9 == block);
  folioOf(tail).index = 0;
  z.freedTail = tail;
  z.freedCount += (<u32>(at - start)) >> 2;
  return at;
}

/** Frees up to max pages that wait in the zone's queue for good, oldest first; their pfns go to out. How many. */
export function takeFreed(zone: u32, out: usize, max: u32): u32 {
  const z = zoneOf(zone);
  let pfn = z.freedHead;
  let n: u32 = 0;
  while (pfn && n < max) {
    store<u32>(out + n * 4, pfn);
    n++;
    const next = folioOf(pfn).index;
    // Mostly it is the neighbour: a guess, which spares the wait for the load.
    if (next == pfn + 1) pfn++;
    else pfn = next;
  }
  z.freedHead = pfn;
  if (!pfn) z.freedTail = 0;
  z.freedCount -= n;
  freeRun(out, out + n * 4, PFN_MASK + 1);
  return n;
}
