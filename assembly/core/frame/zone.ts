// Zones: zone 0 is system memory, zone i is devmem i, the last zone is swap space. A zone consists of blocks
// of 512 frames, the size of a huge page. A block is on its zone's list of free blocks, on its list of partly
// free blocks, or full and on no list.

import { OWNER_ANY } from "../../abi/argument";
import { BLOCK_NEXT, BLOCK_PREV, BLOCK_SIZE, BLOCK_ZONE } from "../../abi/frame";
import {
  HDR_BLOCKS,
  HDR_DEVICE_BASE,
  HDR_DEVICE_FRAMES,
  HDR_SYSTEM_FRAMES,
  HEADER,
  ZONES,
} from "../../abi/header";
import {
  SWAP_ZONE,
  ZONE_COUNT,
  ZONE_FLAGS,
  ZONE_FREED_COUNT,
  ZONE_FREE_PAGES,
  ZONE_OWNER,
  ZONE_PFN_END,
  ZONE_PFN_FIRST,
  ZONE_SIZE,
  ZONE_TABLES,
} from "../../abi/zone";
import { header, RESERVED_FRAMES } from "../base/layout";
import { isDevicePfn } from "./folio";

/** Zone.flags: the zone exists. */
export const ZONE_IN_USE: u32 = 1;
/** Zone.flags: the devmem is being removed and gives no pages out. */
export const ZONE_REMOVING: u32 = 2;

/** A zone. */
@unmanaged
export class Zone {
  flags: u32;
  pfnFirst: u32;
  /** Exclusive. */
  pfnEnd: u32;
  /** The driver's number for its devices (pgmap->owner). */
  owner: u32;
  freePages: u32;
  /** The heads of the lists of free and of partly free blocks. */
  freeBlocks: u32;
  partialBlocks: u32;
  /** Device pages that are free, which the driver does not know yet: a list through Folio.index. */
  freedHead: u32;
  freedTail: u32;
  freedCount: u32;
  /** Page tables of address spaces, of zone 0: as many of its free frames cannot be allocated. */
  tables: u32;
}

if (offsetof<Zone>("pfnFirst") != ZONE_PFN_FIRST) ERROR("ZONE_PFN_FIRST");
if (offsetof<Zone>("pfnEnd") != ZONE_PFN_END) ERROR("ZONE_PFN_END");
if (offsetof<Zone>("owner") != ZONE_OWNER) ERROR("ZONE_OWNER");
if (offsetof<Zone>("freePages") != ZONE_FREE_PAGES) ERROR("ZONE_FREE_PAGES");
if (offsetof<Zone>("freedCount") != ZONE_FREED_COUNT) ERROR("ZONE_FREED_COUNT");
if (offsetof<Zone>("tables") != ZONE_TABLES) ERROR("ZONE_TABLES");
if (offsetof<Zone>("flags") != ZONE_FLAGS) ERROR("ZONE_FLAGS");

/** Returns the zone with this number. */
@inline
export function zoneOf(zone: u32): Zone {
  return changetype<Zone>(HEADER + ZONES + zone * ZONE_SIZE);
}

/** Returns the address of the block that a frame lies in. */
@inline
export function blockOf(pfn: u32): usize {
  return header(HDR_BLOCKS) + (pfn >> 9) * BLOCK_SIZE;
}

/**
 * Returns the number of a pfn's zone; ZONE_COUNT for a device frame without a devmem and for a pfn that does
 * not exist.
 */
export function zoneOfPfn(pfn: u32): u32 {
  if (!isDevicePfn(pfn)) return pfn < RESERVED_FRAMES + header(HDR_SYSTEM_FRAMES) ? 0 : ZONE_COUNT;
  if (pfn >= header(HDR_DEVICE_BASE) + header(HDR_DEVICE_FRAMES)) return ZONE_COUNT;
  return load<u16>(blockOf(pfn), BLOCK_ZONE);
}

/**
 * Returns the pfn after `pfn` in a walk over all frames of system and device memory: there may be a gap
 * between them.
 *
 *   for (let pfn = RESERVED_FRAMES; pfn < header(HDR_DEVICE_NEXT); pfn = pfnAfter(pfn)) …
 */
export function pfnAfter(pfn: u32): u32 {
  return pfn + 1 == RESERVED_FRAMES + header(HDR_SYSTEM_FRAMES) ? header(HDR_DEVICE_BASE) : pfn + 1;
}

/** Tells whether a user may name this pfn: a frame of system memory or of a devmem that is not reserved. */
export function validPfn(pfn: u32): bool {
  return pfn >= RESERVED_FRAMES && zoneOfPfn(pfn) < <u32>ZONE_COUNT;
}

/**
 * Returns the frames that the device pages of an owner lie in: first pfn << 32 | number of frames. 0 where
 * they lie in several zones, or in none.
 */
export function ownFrames(owner: u32): u64 {
  if (owner == <u32>OWNER_ANY) return ((<u64>header(HDR_DEVICE_BASE)) << 32) | header(HDR_DEVICE_FRAMES);
  let found: u64 = 0;
  // Ids count up, and the zone of a removed devmem keeps its frames: the zones after one without frames were
  // never used.
  for (let id: u32 = 1; id < <u32>SWAP_ZONE && zoneOf(id).pfnEnd; id++) {
    const zone = zoneOf(id);
    if (!zone.flags || zone.owner != owner) continue;
    if (found) return 0;
    found = ((<u64>zone.pfnFirst) << 32) | (zone.pfnEnd - zone.pfnFirst);
  }
  return found;
}

/** Puts a block at the head of a list. */
export function listPush(head: usize, block: usize): void {
  const first = load<u32>(head);
  store<u32>(block, 0, BLOCK_PREV);
  store<u32>(block, first, BLOCK_NEXT);
  if (first) store<u32>(first, <u32>block, BLOCK_PREV);
  store<u32>(head, <u32>block);
}

/** Takes a block out of a list. */
export function listRemove(head: usize, block: usize): void {
  const prev = load<u32>(block, BLOCK_PREV);
  const next = load<u32>(block, BLOCK_NEXT);
  if (prev) store<u32>(prev, next, BLOCK_NEXT);
  else store<u32>(head, next);
  if (next) store<u32>(next, prev, BLOCK_PREV);
}
