// Zones: 0 is system memory, zone i is devmem i, the last one is swap space. A zone is made of blocks of 512 frames, the
// size of a huge page. A block is on its zone's list of wholly free blocks, on that of partly free ones, or full and on
// none.

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
} from "../../abi/zone";
import { header, RESERVED_FRAMES } from "../base/layout";
import { isDevicePfn } from "./folio";

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

/** Device pages of this owner lie in so many frames from `first` on: first << 32 | frames. 0: in several zones, or in none. */
export function ownFrames(owner: u32): u64 {
  if (owner == <u32>OWNER_ANY) return ((<u64>header(HDR_DEVICE_BASE)) << 32) | header(HDR_DEVICE_FRAMES);
  let found: u64 = 0;
  // Ids count up, and a devmem that is removed leaves its frames to its zone: what follows one without any was never used.
  for (let id: u32 = 1; id < <u32>SWAP_ZONE && zoneOf(id).pfnEnd; id++) {
    const zone = zoneOf(id);
    if (!zone.flags || zone.owner != owner) continue;
    if (found) return 0;
    found = ((<u64>zone.pfnFirst) << 32) | (zone.pfnEnd - zone.pfnFirst);
  }
  return found;
}

export function listPush(head: usize, block: usize): void {
  const first = load<u32>(head);
  store<u32>(block, 0, BLOCK_PREV);
  store<u32>(block, first, BLOCK_NEXT);
  if (first) store<u32>(first, <u32>block, BLOCK_PREV);
  store<u32>(head, <u32>block);
}

export function listRemove(head: usize, block: usize): void {
  const prev = load<u32>(block, BLOCK_PREV);
  const next = load<u32>(block, BLOCK_NEXT);
  if (prev) store<u32>(prev, next, BLOCK_NEXT);
  else store<u32>(head, next);
  if (next) store<u32>(next, prev, BLOCK_PREV);
}
