// The frame allocator. Zone 0 is system memory, zone i is devmem i; a zone is made of blocks of 512 frames (one
// PMD-order folio each), and a block's bitmap says which frames are free. A block is on its zone's list of wholly
// free blocks, on the list of partly free ones, or full and on none. Single frames come from partly free blocks in
// ascending order, so that wholly free blocks last as long as they can.

import { PMD_PAGES } from "../uapi/page";
import { PFN_MASK } from "../uapi/pfn";
import {
  BLOCK_BITMAP, BLOCK_FREE, BLOCK_NEXT, BLOCK_PFN, BLOCK_PREV, BLOCK_SIZE, BLOCK_ZONE, FOLIO_FLAGS, FOLIO_FREE,
  FOLIO_LOCKED, FOLIO_MAPPING, HDR_BLOCKS, HDR_DEVICE_BASE, HDR_DEVICE_FRAMES, HDR_EXTERNAL_REFS,
  HDR_SYSTEM_FRAMES, HEADER, TABLE_DEVICE_MEMORY, TABLE_SYSTEM_MEMORY, ZONE_COUNT, ZONE_FLAGS,
  ZONE_FREE_BLOCKS, ZONE_FREE_PAGES, ZONE_FREED_COUNT, ZONE_FREED_HEAD, ZONE_FREED_TAIL, ZONE_OWNER,
  OWNER_ANY, ZONE_PARTIAL_BLOCKS, ZONE_PFN_END, ZONE_PFN_FIRST, ZONE_SIZE, ZONES,
} from "../uapi/struct";
import { Folio, folioOf, frameOf, isDevicePfn } from "./folio";
import { exhausted, header, mayAllocate, RESERVED_FRAMES, setHeader } from "./layout";
import { lruRemove, lruRemoveAll } from "./lru";
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

/** Device pages of this owner lie in [first, first + size); a size of 0: in several zones, or none. */
export function ownFirst(owner: u32): u32 {
  if (owner == <u32>OWNER_ANY) return header(HDR_DEVICE_BASE);
  const id = onlyZoneOf(owner);
  return id ? zoneOf(id).pfnFirst : 0;
}

export function ownSize(owner: u32): u32 {
  if (owner == <u32>OWNER_ANY) return header(HDR_DEVICE_FRAMES);
  const id = onlyZoneOf(owner);
  return id ? zoneOf(id).pfnEnd - zoneOf(id).pfnFirst : 0;
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

/** The block that the zone's next frame comes from; 0 where none is free. */
export function blockWithFree(zone: u32): usize {
  const z = zoneOf(zone);
  if (z.partialBlocks) return z.partialBlocks;
  const block: usize = z.freeBlocks;
  if (!block) {
    exhausted(zone ? TABLE_DEVICE_MEMORY : TABLE_SYSTEM_MEMORY);
    return 0;
  }
  listRemove(changetype<usize>(z) + ZONE_FREE_BLOCKS, block);
  listPush(changetype<usize>(z) + ZONE_PARTIAL_BLOCKS, block);
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

/** `taken` of the block's frames are free no more. */
@inline
export function tookFrames(zone: u32, block: usize, taken: u32): void {
  const free = load<u16>(block, BLOCK_FREE) - taken;
  store<u16>(block, free, BLOCK_FREE);
  const z = zoneOf(zone);
  if (!free) listRemove(changetype<usize>(z) + ZONE_PARTIAL_BLOCKS, block);
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
  if (!before) listPush(changetype<usize>(z) + ZONE_PARTIAL_BLOCKS, block);
  if (free == PMD_PAGES) {
    listRemove(changetype<usize>(z) + ZONE_PARTIAL_BLOCKS, block);
    listPush(changetype<usize>(z) + ZONE_FREE_BLOCKS, block);
  }
}

/** Puts a frame that nobody refers to back on its zone's lists. */
export function freeFrame(pfn: u32): void {
  const block = blockOf(pfn);
  freeBits(block, block + ((pfn & 511) >> 6) * 8, (<u64>1) << (pfn & 63));
}

/** freeFrame() of the pfn in each word that is not 0: neighbours go back together. */
export function freeFrames(words: usize, n: u32): void {
  let group: u32 = 0; // pfn / 64
  let bits: u64 = 0;
  for (const last = words + n * 4; words < last; words += 4) {
    const pfn = load<u32>(words) & PFN_MASK;
    if (!pfn) continue;
    if (pfn >> 6 != group) {
      if (bits) freeGroup(group, bits);
      group = pfn >> 6;
      bits = 0;
    }
    bits |= (<u64>1) << (pfn & 63);
  }
  if (bits) freeGroup(group, bits);
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
  let system: u32 = 0;
  for (let at = words; at < last; ) {
    const pfn = load<u32>(at) & PFN_MASK;
    if (pfn >= base) at = queueRun(at, last, pfn);
    else {
      system += pfn;
      at += 4;
    }
  }
  if (system) freeFrames(words, n);
}

/** queueFreed() of the words from `at` on whose pages are in the block of this one. They become 0. The word after. */
function queueRun(at: usize, last: usize, pfn: u32): usize {
  const block = pfn >> 9;
  const z = zoneOf(load<u16>(blockOf(pfn), BLOCK_ZONE));
  const start = at;
  let tail = z.freedTail;
  if (!tail) z.freedHead = pfn;
  do {
    if (tail) folioOf(tail).index = pfn;
    tail = pfn;
    store<u32>(at, 0);
    at += 4;
    pfn = at < last ? load<u32>(at) & PFN_MASK : 0;
  } while (pfn >> 9 == block);
  folioOf(tail).index = 0;
  z.freedTail = tail;
  z.freedCount += <u32>(at - start) >> 2;
  return at;
}

/** Frees up to max pages that wait in the zone's queue for good, oldest first; their pfns go to out. How many. */
export function takeFreed(zone: u32, out: usize, max: u32): u32 {
  const z = zoneOf(zone);
  let pfn = z.freedHead;
  let n: u32 = 0;
  for (; pfn && n < max; n++) {
    store<u32>(out + n * 4, pfn);
    pfn = folioOf(pfn).index;
  }
  z.freedHead = pfn;
  if (!pfn) z.freedTail = 0;
  z.freedCount -= n;
  freeFrames(out, n);
  return n;
}

@inline
export function zeroFrame(pfn: u32): void {
  if (frameOf(0)) memory.fill(frameOf(pfn), 0, 4096);
}

@inline
export function copyFrame(to: u32, from: u32): void {
  if (frameOf(0)) memory.copy(frameOf(to), frameOf(from), 4096);
}
