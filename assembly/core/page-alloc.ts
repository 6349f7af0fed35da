// The frame allocator. Zone 0 is system memory, zone i is devmem i; a zone is made of blocks of 512 frames (one
// PMD-order folio each), and a block's bitmap says which frames are free. A block is on its zone's list of wholly
// free blocks, on the list of partly free ones, or full and on none. Single frames come from partly free blocks in
// ascending order, so that wholly free blocks last as long as they can.

import { PMD_PAGES } from "../uapi/page";
import {
  BLOCK_BITMAP, BLOCK_FREE, BLOCK_NEXT, BLOCK_PFN, BLOCK_PREV, BLOCK_SIZE, BLOCK_ZONE, FOLIO_FREE,
  FOLIO_LOCKED, FOLIO_LRU, HDR_BLOCKS, HDR_DEVICE_BASE, HDR_DEVICE_FRAMES, HDR_EXTERNAL_REFS,
  HDR_SYSTEM_FRAMES, HEADER, TABLE_DEVICE_MEMORY, TABLE_SYSTEM_MEMORY, ZONE_COUNT, ZONE_FLAGS,
  ZONE_FREE_BLOCKS, ZONE_FREE_PAGES, ZONE_FREED_COUNT, ZONE_FREED_HEAD, ZONE_FREED_TAIL, ZONE_OWNER,
  ZONE_PARTIAL_BLOCKS, ZONE_PFN_END, ZONE_PFN_FIRST, ZONE_SIZE, ZONES,
} from "../uapi/struct";
import { Folio, folioOf, frameOf, isDevicePfn } from "./folio";
import { exhausted, header, mayAllocate, RESERVED_FRAMES, setHeader } from "./layout";
import { lruRemove } from "./lru";
import { memcgUncharge } from "./memcg";

export const ZONE_IN_USE: u32 = 1;
export const ZONE_REMOVING: u32 = 2;

@unmanaged
export class Zone {
  flags: u32;
  pfnFirst: u32;
  /** exclusive */
  pfnEnd: u32;
  owner: u32;
  freePages: u32;
  freeBlocks: u32;
  partialBlocks: u32;
  /** Device pages freed, and not yet reported to the driver: a list through Folio.index. */
  freedHead: u32;
  freedTail: u32;
  freedCount: u32;
}

if (offsetof<Zone>("pfnFirst") != ZONE_PFN_FIRST) ERROR("ZONE_PFN_FIRST");
if (offsetof<Zone>("pfnEnd") != ZONE_PFN_END) ERROR("ZONE_PFN_END");
if (offsetof<Zone>("owner") != ZONE_OWNER) ERROR("ZONE_OWNER");
if (offsetof<Zone>("freePages") != ZONE_FREE_PAGES) ERROR("ZONE_FREE_PAGES");
if (offsetof<Zone>("freeBlocks") != ZONE_FREE_BLOCKS) ERROR("ZONE_FREE_BLOCKS");
if (offsetof<Zone>("partialBlocks") != ZONE_PARTIAL_BLOCKS) ERROR("ZONE_PARTIAL_BLOCKS");
if (offsetof<Zone>("freedHead") != ZONE_FREED_HEAD) ERROR("ZONE_FREED_HEAD");
if (offsetof<Zone>("freedTail") != ZONE_FREED_TAIL) ERROR("ZONE_FREED_TAIL");
if (offsetof<Zone>("freedCount") != ZONE_FREED_COUNT) ERROR("ZONE_FREED_COUNT");
if (offsetof<Zone>("flags") != ZONE_FLAGS) ERROR("ZONE_FLAGS");

@inline
export function zoneOf(zone: u32): Zone {
  return changetype<Zone>(HEADER + ZONES + zone * ZONE_SIZE);
}

@inline
export function blockOf(pfn: u32): usize {
  return header(HDR_BLOCKS) + (pfn >> 9) * BLOCK_SIZE;
}

/** The zone that a pfn belongs to; ZONE_COUNT for device frames that no devmem owns, and for pfns that do not exist. */
export function zoneOfPfn(pfn: u32): u32 {
  if (!isDevicePfn(pfn)) return pfn < RESERVED_FRAMES + header(HDR_SYSTEM_FRAMES) ? 0 : ZONE_COUNT;
  if (pfn >= header(HDR_DEVICE_BASE) + header(HDR_DEVICE_FRAMES)) return ZONE_COUNT;
  return load<u16>(blockOf(pfn), BLOCK_ZONE);
}

/** Can this pfn be named by a user: a frame of system memory or of a devmem, reserved ones excepted? */
export function validPfn(pfn: u32): bool {
  return pfn >= RESERVED_FRAMES && zoneOfPfn(pfn) < <u32>ZONE_COUNT;
}

/** The zone of an owner's device memory, if there is exactly one; else 0. */
export function onlyZoneOf(owner: u32): u32 {
  let found: u32 = 0;
  for (let id: u32 = 1; id < <u32>ZONE_COUNT; id++) {
    if (!zoneOf(id).flags || zoneOf(id).owner != owner) continue;
    if (found) return 0;
    found = id;
  }
  return found;
}

function listPush(head: usize, block: usize): void {
  const first = load<u32>(head);
  store<u32>(block, 0, BLOCK_PREV);
  store<u32>(block, first, BLOCK_NEXT);
  if (first) store<u32>(first, <u32>block, BLOCK_PREV);
  store<u32>(head, <u32>block);
}

function listRemove(head: usize, block: usize): void {
  const prev = load<u32>(block, BLOCK_PREV);
  const next = load<u32>(block, BLOCK_NEXT);
  if (prev) store<u32>(prev, next, BLOCK_NEXT);
  else store<u32>(head, next);
  if (next) store<u32>(next, prev, BLOCK_PREV);
}

/** Makes [first, end) a zone's free frames. Blocks that it covers in part start partly free. */
export function zoneInit(zone: u32, first: u32, end: u32, owner: u32): void {
  const z = zoneOf(zone);
  memory.fill(changetype<usize>(z), 0, ZONE_SIZE);
  z.flags = ZONE_IN_USE;
  z.pfnFirst = first;
  z.pfnEnd = end;
  z.owner = owner;
  z.freePages = end - first;
  for (let last = end; last > first; ) {
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
    listPush(changetype<usize>(z) + (last - from == PMD_PAGES ? ZONE_FREE_BLOCKS : ZONE_PARTIAL_BLOCKS), block);
    last = from;
  }
}

/** A frame of the zone with one reference and no flags, or 0. Its bytes are what they were. */
export function allocFrame(zone: u32): u32 {
  if (!mayAllocate()) return 0;
  const z = zoneOf(zone);
  let block: usize = z.partialBlocks;
  if (!block) {
    block = z.freeBlocks;
    if (!block) {
      exhausted(zone ? TABLE_DEVICE_MEMORY : TABLE_SYSTEM_MEMORY);
      return 0;
    }
    listRemove(changetype<usize>(z) + ZONE_FREE_BLOCKS, block);
    listPush(changetype<usize>(z) + ZONE_PARTIAL_BLOCKS, block);
  }
  let word = block + BLOCK_BITMAP;
  while (!load<u64>(word)) word += 8;
  const bits = load<u64>(word);
  store<u64>(word, bits & (bits - 1));
  const free = load<u16>(block, BLOCK_FREE) - 1;
  store<u16>(block, free, BLOCK_FREE);
  if (!free) listRemove(changetype<usize>(z) + ZONE_PARTIAL_BLOCKS, block);
  z.freePages--;
  const pfn = load<u32>(block, BLOCK_PFN) + <u32>(word - block) * 8 + <u32>ctz(bits);
  const folio = folioOf(pfn);
  assert(folio.flags == FOLIO_FREE, "allocFrame: the frame is in use");
  folio.refs = 1;
  folio.maps = 0;
  folio.mapping = 0;
  folio.flags = 0;
  return pfn;
}

/** Puts a frame that nobody refers to back on its zone's lists. */
export function freeFrame(pfn: u32): void {
  const block = blockOf(pfn);
  const z = zoneOf(load<u16>(block, BLOCK_ZONE));
  const word = block + ((pfn & 511) >> 6) * 8;
  const bit = (<u64>1) << (pfn & 63);
  assert(!(load<u64>(word) & bit), "freeFrame: the frame is free");
  store<u64>(word, load<u64>(word) | bit);
  const free = load<u16>(block, BLOCK_FREE) + 1;
  store<u16>(block, free, BLOCK_FREE);
  z.freePages++;
  if (free == 1) listPush(changetype<usize>(z) + ZONE_PARTIAL_BLOCKS, block);
  if (free == PMD_PAGES) {
    listRemove(changetype<usize>(z) + ZONE_PARTIAL_BLOCKS, block);
    listPush(changetype<usize>(z) + ZONE_FREE_BLOCKS, block);
  }
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

/** Drops a reference; the last one frees the page. */
@inline
export function putPage(pfn: u32): void {
  const folio = folioOf(pfn);
  const refs = folio.refs - 1;
  folio.refs = refs;
  if (!(refs & 0xffffff)) releasePage(pfn, folio);
}

function releasePage(pfn: u32, folio: Folio): void {
  assert(!folio.mapcount, "releasePage: the page is mapped");
  assert(!folio.has(FOLIO_LOCKED), "releasePage: the page is locked");
  memcgUncharge(folio.memcg);
  folio.refs = 0;
  folio.maps = 0;
  folio.mapping = 0;
  folio.flags = <u16>FOLIO_FREE;
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

/** Frees the oldest page that waits in the zone's queue for good, and returns it; 0 when none waits. */
export function takeFreed(zone: u32): u32 {
  const z = zoneOf(zone);
  const pfn = z.freedHead;
  if (!pfn) return 0;
  z.freedHead = folioOf(pfn).index;
  if (!z.freedHead) z.freedTail = 0;
  z.freedCount--;
  freeFrame(pfn);
  return pfn;
}

/** Puts a system page on the LRU, where isolation for a migration looks for it. */
@inline
export function addToLru(folio: Folio): void {
  folio.set(FOLIO_LRU);
}

@inline
export function zeroFrame(pfn: u32): void {
  if (frameOf(0)) memory.fill(frameOf(pfn), 0, 4096);
}

@inline
export function copyFrame(to: u32, from: u32): void {
  if (frameOf(0)) memory.copy(frameOf(to), frameOf(from), 4096);
}
