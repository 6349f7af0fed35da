// Device memory. A devmem is a zone of frames that a driver adds; its id is the zone's. CPUs map its pages
// only if it is coherent. A removed zone leaves its frames behind, and a later devmem of the same size uses
// them again.

import { EINVAL, ENOMEM } from "../../uapi/errno";
import { PMD_PAGES } from "../../uapi/page";
import { XBUF_SIZE } from "../../abi/argument";
import {
  HDR_DEVICE_BASE,
  HDR_DEVICE_FRAMES,
  HDR_DEVICE_NEXT,
  HDR_FLAGS,
  HDR_FLAG_COHERENT,
  HDR_XBUF,
} from "../../abi/header";
import { RESOURCE_DEVICE_MEMORY, RESOURCE_DEVMEM } from "../../abi/pool";
import { SWAP_ZONE, ZONE_FLAG_COHERENT } from "../../abi/zone";
import { exhausted, header, setHeader } from "../base/layout";
import { zoneInit } from "./page-alloc";
import { takeFreed } from "./page-free";
import { ZONE_IN_USE, ZONE_REMOVING, zoneOf } from "./zone";

/** The largest devmem in bytes: 4 TiB. */
const BYTES_MAX: f64 = 4398046511104;

/** The id of a removed zone of exactly `pages` frames, or 0. */
function reusableZone(pages: u32): u32 {
  for (let id: u32 = 1; id < <u32>SWAP_ZONE; id++) {
    const zone = zoneOf(id);
    if (!zone.flags && zone.pfnEnd - zone.pfnFirst == pages) return id;
  }
  return 0;
}

/** The id of a zone that has never had frames, or 0. */
function unusedZone(): u32 {
  for (let id: u32 = 1; id < <u32>SWAP_ZONE; id++) if (!zoneOf(id).flags && !zoneOf(id).pfnEnd) return id;
  return 0;
}

/**
 * hmm_devmem_add: adds device memory of at least `bytes` bytes, in whole blocks of 2 MiB. Returns its id,
 * -EINVAL for a size out of bounds, or -ENOMEM when device memory or the table of devmems is exhausted.
 */
export function devmemAdd(bytes: f64, owner: u32, coherent: u32): i32 {
  const id = addZone(bytes, owner);
  if (id > 0 && coherent) {
    zoneOf(id).flags |= ZONE_FLAG_COHERENT;
    setHeader(HDR_FLAGS, header(HDR_FLAGS) | HDR_FLAG_COHERENT);
  }
  return id;
}

function addZone(bytes: f64, owner: u32): i32 {
  if (bytes < 1 || bytes > BYTES_MAX) return -EINVAL;
  const end = header(HDR_DEVICE_BASE) + header(HDR_DEVICE_FRAMES);
  const blocks = (<u64>bytes + 0x1fffff) >> 21;
  const first = header(HDR_DEVICE_NEXT);
  const wanted = blocks * PMD_PAGES;
  // Device memory may end inside a block: then the last devmem gets the exact number of pages, if they fit.
  const exact = (<u64>bytes + 0xfff) >> 12;
  const pages: u32 = <u64>first + wanted <= end ? <u32>wanted : <u64>first + exact <= end ? end - first : 0;
  const again = reusableZone(<u32>wanted);
  if (again) {
    const zone = zoneOf(again);
    zoneInit(again, zone.pfnFirst, zone.pfnEnd, owner);
    return again;
  }
  if (!pages) {
    exhausted(RESOURCE_DEVICE_MEMORY);
    return -ENOMEM;
  }
  const id = unusedZone();
  if (!id) {
    exhausted(RESOURCE_DEVMEM);
    return -ENOMEM;
  }
  zoneInit(id, first, first + pages, owner);
  setHeader(HDR_DEVICE_NEXT, first + pages);
  return id;
}

/** Is `id` a devmem that was added and not removed since? */
export function isDevmem(id: u32): bool {
  return id > 0 && id < <u32>SWAP_ZONE && zoneOf(id).flags != 0;
}

/** May pages be allocated from the devmem? */
export function isOpenDevmem(id: u32): bool {
  return (zoneOf(id).flags & (ZONE_IN_USE | ZONE_REMOVING)) == ZONE_IN_USE;
}

/**
 * hmm_devmem_remove: from now on the devmem allocates no page. Returns the number of its pages that are in
 * use; 0: the devmem is gone.
 */
export function devmemRemove(id: u32): i32 {
  if (!isDevmem(id)) return -EINVAL;
  const zone = zoneOf(id);
  zone.flags |= ZONE_REMOVING;
  const inUse = zone.pfnEnd - zone.pfnFirst - zone.freePages - zone.freedCount;
  if (inUse) return inUse;
  while (takeFreed(id, header(HDR_XBUF), XBUF_SIZE / 4)) continue;
  zone.flags = 0;
  return 0;
}

/**
 * Writes the pfns of up to `max` freed pages into the exchange buffer, oldest first, and returns their
 * number. From now on the devmem may allocate these pages again.
 */
export function devmemTakeFreed(id: u32, max: u32): i32 {
  if (!isDevmem(id)) return -EINVAL;
  return takeFreed(id, header(HDR_XBUF), min<u32>(max, XBUF_SIZE / 4));
}
