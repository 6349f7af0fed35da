// The frame allocator. The bitmap of a block says which of its frames are free. Single frames come from
// partly free blocks, in ascending order, so that free blocks last: each is room for a huge page.
//
//   refcount falls to 0:  a page of system memory ─▶ its bit in the bitmap
//                         a device page           ─▶ the zone's queue, until takeFreed() has told the driver
//                         a part of a large folio ─▶ nothing, until no part has a reference

import { PMD_PAGES } from "../../uapi/page";
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
  FOLIO_LARGE,
  FOLIO_LOCKED,
  FOLIO_REFERENCED,
  FOLIO_RESERVED,
  FOLIO_SIZE,
  FOLIO_TAIL,
} from "../../abi/frame";
import {
  HDR_EXTERNAL_REFS,
  HDR_FLAGS,
  HDR_FLAG_TABLES_COUNT,
  HDR_HUGETLB,
  HDR_HUGETLB_FREE,
  HEADER,
} from "../../abi/header";
import { RESOURCE_DEVICE_MEMORY, RESOURCE_SYSTEM_MEMORY } from "../../abi/pool";
import { ZONE_SIZE } from "../../abi/zone";
import { exhausted, header, LARGE_PAGES, mayAllocate, setHeader } from "../base/layout";
import { pteFlags, ptePfn } from "../base/pte";
import { DEBUG } from "../base/panic";
import { Folio, folioOf, isDevicePfn } from "./folio";
import { memcgUncharge } from "./memcg";
import { headOf, isWholeBlock, pagesAt, setWholeBlock } from "./order";
import { freeFrame, queueFreed } from "./page-free";
import { blockOf, listPush, listRemove, Zone, ZONE_IN_USE, zoneOf } from "./zone";

/**
 * Makes [first, end) the frames of a zone, all of them free. A block that the range covers in part begins
 * partly free.
 */
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

/**
 * Returns the block that the zone's next frame comes from; 0 where no frame is left, which the header then
 * reports. As many of its free frames as there are page tables stay free.
 */
@inline
export function blockWithFree(zone: u32): usize {
  const z = zoneOf(zone);
  if (z.freePages <= z.tables) {
    exhausted(zone ? RESOURCE_DEVICE_MEMORY : RESOURCE_SYSTEM_MEMORY);
    return 0;
  }
  return z.partialBlocks ? z.partialBlocks : z.freeBlocks;
}

/** Returns the frames of a bitmap word that a run may take: all that are free, or as many as may go. */
@inline
export function bitsLeft(zone: u32, word: usize): u64 {
  const bits = load<u64>(word);
  const left = zoneOf(zone).freePages - zoneOf(zone).tables;
  return left < 64 ? lowestBits(bits, left) : bits;
}

/** Returns the `n` lowest set bits of a word. */
function lowestBits(bits: u64, n: u32): u64 {
  let rest = bits;
  for (; n && rest; n--) rest &= rest - 1;
  return bits ^ rest;
}

/**
 * Counts a page table as a page of system memory, where tables count: it lies elsewhere in linear memory, but
 * a free frame stays free for it. Returns false where none is left, which the header then reports.
 */
export function takeTablePage(): bool {
  if (!(header(HDR_FLAGS) & HDR_FLAG_TABLES_COUNT)) return true;
  const z = zoneOf(0);
  if (z.freePages <= z.tables) {
    exhausted(RESOURCE_SYSTEM_MEMORY);
    return false;
  }
  z.tables++;
  return true;
}

/** Ends what takeTablePage() began. */
export function putTablePage(): void {
  if (header(HDR_FLAGS) & HDR_FLAG_TABLES_COUNT) zoneOf(0).tables--;
}

/** Gives a free frame its first reference, and `flags`. */
@inline
export function initFrame(pfn: u32, flags: u32): void {
  initRecord(changetype<usize>(folioOf(pfn)), flags);
}

/** initFrame() of the frame whose record is at `folio`. */
@inline
function initRecord(folio: usize, flags: u32): void {
  assert(load<u16>(folio, FOLIO_FLAGS) == FOLIO_FREE, "allocFrame: the frame is in use");
  // One reference, and no memcg, mappings, place.
  v128.store(folio, i32x4.replace_lane(i32x4(1, 0, 0, 0), 3, flags << 16));
}

/** Accounts for `taken` frames, not all of its 512, removed from the block. */
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

/**
 * Allocates a frame of a zone, with one reference and without flags. Returns its pfn, or 0. Its bytes are
 * left as they were.
 */
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

/**
 * Allocates a free block of a zone as a large folio, with one reference to each part, and `flags`. Returns
 * its first pfn, or 0.
 */
export function allocLarge(zone: u32, flags: u32 = 0): u32 {
  return mayAllocate() ? allocBlock(zone, true, flags) : 0;
}

/** Takes a free block of a zone: as a large folio if `large`. Its first pfn, or 0. */
export function allocBlock(zone: u32, large: bool, flags: u32 = 0): u32 {
  const z = zoneOf(zone);
  const block: usize = z.freeBlocks;
  if (!block || z.freePages < z.tables + LARGE_PAGES) return 0;
  listRemove(changetype<usize>(z) + offsetof<Zone>("freeBlocks"), block);
  memory.fill(block + BLOCK_BITMAP, 0, 64);
  store<u16>(block, 0, BLOCK_FREE);
  store<u32>(block, LARGE_PAGES, BLOCK_LIVE);
  z.freePages -= LARGE_PAGES;
  const first = load<u32>(block, BLOCK_PFN);
  setWholeBlock(first, large);
  const folio = changetype<usize>(folioOf(first));
  const tail = i32x4.replace_lane(i32x4(1, 0, 0, 0), 3, (large ? FOLIO_TAIL | flags : flags) << 16);
  initRecord(folio, large ? FOLIO_HEAD | flags : flags);
  for (let at = folio + FOLIO_SIZE; at < folio + LARGE_PAGES * FOLIO_SIZE; at += FOLIO_SIZE) {
    if (DEBUG) assert(load<u16>(at, FOLIO_FLAGS) == FOLIO_FREE, "allocBlock: a frame is in use");
    v128.store(at, tail);
  }
  return first;
}

/** Splits a large folio: parts without references become free, each other part becomes a page of its own. */
export function dissolveLarge(first: u32): void {
  const end = first + pagesAt(first);
  if (isWholeBlock(first)) setWholeBlock(first, false);
  for (let pfn = first; pfn < end; pfn++) {
    const folio = folioOf(pfn);
    folio.clear(FOLIO_LARGE);
    if (!folio.refcount) releasePage(pfn, folio);
  }
}

/**
 * Notes that a part of a large folio has lost its last reference. With the last such part the whole folio is
 * freed.
 */
function releasePart(pfn: u32): void {
  if (!isWholeBlock(pfn)) {
    const head = headOf(pfn);
    const end = head + pagesAt(head);
    for (let part = head; part < end; part++) if (folioOf(part).refcount) return;
    return dissolveLarge(head);
  }
  const block = blockOf(pfn);
  const live = load<u32>(block, BLOCK_LIVE) - 1;
  store<u32>(block, live, BLOCK_LIVE);
  if (live) return;
  const head = pfn & ~(LARGE_PAGES - 1);
  if (folioOf(head).has(FOLIO_RESERVED)) keepHugetlb(head);
  else dissolveLarge(head);
}

/** Takes a reference to each part of a large folio, also to parts that have lost all of theirs. */
export function getLarge(head: u32): void {
  const block = blockOf(head);
  const end = head + pagesAt(head);
  for (let pfn = head; pfn < end; pfn++) {
    if (!folioOf(pfn).refcount && isWholeBlock(head))
      store<u32>(block, load<u32>(block, BLOCK_LIVE) + 1, BLOCK_LIVE);
    folioOf(pfn).refs++;
  }
}

/** Puts a hugetlb page without references on the list of free hugetlb pages. */
export function keepHugetlb(head: u32): void {
  for (let i: u32 = 0; i < LARGE_PAGES; i++) {
    clearFolio(folioOf(head + i));
    folioOf(head + i).flags = <u16>(FOLIO_RESERVED | (i ? FOLIO_TAIL : FOLIO_HEAD));
  }
  listPush(HEADER + HDR_HUGETLB, blockOf(head));
  setHeader(HDR_HUGETLB_FREE, header(HDR_HUGETLB_FREE) + 1);
}

/**
 * Takes a free hugetlb page, with one reference to each part. Returns its first pfn; 0 where there is none.
 */
export function takeHugetlb(): u32 {
  const block: usize = header(HDR_HUGETLB);
  if (!block || !mayAllocate()) return 0;
  listRemove(HEADER + HDR_HUGETLB, block);
  setHeader(HDR_HUGETLB_FREE, header(HDR_HUGETLB_FREE) - 1);
  store<u32>(block, LARGE_PAGES, BLOCK_LIVE);
  const head = load<u32>(block, BLOCK_PFN);
  setWholeBlock(head, true);
  for (let i: u32 = 0; i < LARGE_PAGES; i++) folioOf(head + i).refs = 1;
  return head;
}

/** Counts references that pins and drivers hold, for verify() to account for. */
@inline
export function addExternalRefs(by: i32): void {
  setHeader(HDR_EXTERNAL_REFS, header(HDR_EXTERNAL_REFS) + by);
}

/** Takes a reference to a page. */
@inline
export function getPage(pfn: u32): void {
  folioOf(pfn).refs++;
}

/** Notes that get_user_pages has reached the page of an entry (mark_page_accessed). */
@inline
export function markAccessed(pte: u64): void {
  if (!(pteFlags(pte) & PTE_SPECIAL)) folioOf(ptePfn(pte)).set(FOLIO_REFERENCED);
}

/** Drops a reference to a page; the last one frees the page. */
@inline
export function putPage(pfn: u32): void {
  const folio = folioOf(pfn);
  const refs = folio.refs - 1;
  folio.refs = refs;
  if (!(refs & 0xffffff)) releasePage(pfn, folio);
}

/** Resets the record of a page without references. The caller frees the frame. */
@inline
export function clearFolio(folio: Folio): void {
  // No references, memcg, mappings, place.
  v128.store(changetype<usize>(folio), i32x4(0, 0, 0, FOLIO_FREE << 16));
}

/** Frees a page that has lost its last reference. */
function releasePage(pfn: u32, folio: Folio): void {
  assert(!folio.mapcount, "releasePage: the page is mapped");
  // Whoever locked the page without a reference to it has lost it: the lock ends with the page.
  folio.clear(FOLIO_LOCKED);
  if (folio.has(FOLIO_LARGE)) return releasePart(pfn);
  if (folio.memcg) memcgUncharge(folio.memcg);
  clearFolio(folio);
  if (isDevicePfn(pfn)) queueFreed(pfn);
  else freeFrame(pfn);
}
