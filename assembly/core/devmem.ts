// Device memory: zones of frames that no CPU may map, and what drivers do with their pages.

import { EINVAL, ENOMEM } from "../uapi/errno";
import { PMD_PAGES } from "../uapi/page";
import { MIGRATE_PFN_MIGRATE, MIGRATE_PFN_VALID, PFN_MASK } from "../uapi/pfn";
import {
  COUNT_PAGES_COPIED, COUNT_PAGES_ZEROED, FOLIO_FREE, FOLIO_LOCKED, HDR_DEVICE_BASE, HDR_DEVICE_FRAMES,
  HDR_DEVICE_NEXT, HDR_XBUF, HDR_ZERO_PFN, SWAP_ZONE, TABLE_DEVICE_MEMORY, TABLE_DEVMEM, XBUF_SIZE,
} from "../uapi/struct";
import { folioOf, frameOf } from "./folio";
import { exhausted, header, setHeader } from "./layout";
import {
  addExternalRefs, allocFrame, copyFrame, getPage, putPage, takeFreed, validPfn, zeroFrame, ZONE_IN_USE,
  ZONE_REMOVING, zoneInit, zoneOf, zoneOfPfn,
} from "./page-alloc";
import { count } from "./stat";

/** Zones that were removed leave their frames behind: [first, end) of such a zone is used again if it is large enough. */
function reuseZone(pages: u32): u32 {
  for (let id: u32 = 1; id < <u32>SWAP_ZONE; id++) {
    const zone = zoneOf(id);
    if (!zone.flags && zone.pfnEnd - zone.pfnFirst == pages) return id;
  }
  return 0;
}

function unusedZone(): u32 {
  for (let id: u32 = 1; id < <u32>SWAP_ZONE; id++) if (!zoneOf(id).flags && !zoneOf(id).pfnEnd) return id;
  return 0;
}

/** hmm_devmem_add: a zone of at least `bytes` bytes, in whole blocks of 2 MiB. Its id, or -ENOMEM. */
export function devmemAdd(bytes: f64, owner: u32): i32 {
  if (bytes < 1 || bytes > 4398046511104) return -EINVAL;
  const end = header(HDR_DEVICE_BASE) + header(HDR_DEVICE_FRAMES);
  const blocks = (<u64>bytes + 0x1fffff) >> 21;
  // The last block of device memory may be a part of one only.
  const first = header(HDR_DEVICE_NEXT);
  const wanted = blocks * PMD_PAGES;
  const exact = (<u64>bytes + 0xfff) >> 12;
  const pages: u32 = <u64>first + wanted <= end ? <u32>wanted : <u64>first + exact <= end ? end - first : 0;
  const again = reuseZone(<u32>wanted);
  if (again) {
    const zone = zoneOf(again);
    zoneInit(again, zone.pfnFirst, zone.pfnEnd, owner);
    return again;
  }
  if (!pages) {
    exhausted(TABLE_DEVICE_MEMORY);
    return -ENOMEM;
  }
  const id = unusedZone();
  if (!id) {
    exhausted(TABLE_DEVMEM);
    return -ENOMEM;
  }
  zoneInit(id, first, first + pages, owner);
  setHeader(HDR_DEVICE_NEXT, first + pages);
  return id;
}

/** Is this a devmem's id? */
export function isDevmem(id: u32): bool {
  return id > 0 && id < <u32>SWAP_ZONE && zoneOf(id).flags != 0;
}

/** No more pages from this devmem; when none is in use it is gone (0), else the number in use. */
export function devmemRemove(id: u32): i32 {
  if (!isDevmem(id)) return -EINVAL;
  const zone = zoneOf(id);
  zone.flags |= ZONE_REMOVING;
  const inUse = zone.pfnEnd - zone.pfnFirst - zone.freePages - zone.freedCount;
  if (inUse) return inUse;
  while (takeFreed(id)) continue;
  zone.flags = 0;
  return 0;
}

/** A locked frame with one reference; 0 when the zone has none. */
function allocLocked(zone: u32): u32 {
  const pfn = allocFrame(zone);
  if (!pfn) return 0;
  folioOf(pfn).set(FOLIO_LOCKED);
  addExternalRefs(1);
  return pfn;
}

export function devmemAllocPage(id: u32): i32 {
  if (!isDevmem(id) || zoneOf(id).flags != ZONE_IN_USE) return 0;
  return allocLocked(id);
}

function allocFor(zone: u32, src: usize, dst: usize, n: u32, wanted: u32): i32 {
  let filled = 0;
  for (let i: u32 = 0; i < n; i++) {
    if ((load<u32>(src + i * 4) & wanted) != wanted || load<u32>(dst + i * 4)) continue;
    const pfn = allocLocked(zone);
    if (!pfn) break;
    store<u32>(dst + i * 4, <u32>MIGRATE_PFN_VALID | pfn);
    filled++;
  }
  return filled;
}

export function devmemAllocPages(id: u32, src: usize, dst: usize, n: u32): i32 {
  if (!isDevmem(id)) return -EINVAL;
  return zoneOf(id).flags == ZONE_IN_USE ? allocFor(id, src, dst, n, MIGRATE_PFN_MIGRATE) : 0;
}

export function systemAllocPage(): i32 {
  return allocLocked(0);
}

export function systemAllocPages(src: usize, dst: usize, n: u32): i32 {
  return allocFor(0, src, dst, n, <u32>MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE);
}

/** Hands up to max freed pfns over, oldest first, into the exchange buffer; they can be allocated again. */
export function devmemTakeFreed(id: u32, max: u32): i32 {
  if (!isDevmem(id)) return -EINVAL;
  const out = header(HDR_XBUF);
  const most = min<u32>(max, XBUF_SIZE / 4);
  let n: u32 = 0;
  while (n < most) {
    const pfn = takeFreed(id);
    if (!pfn) break;
    store<u32>(out + n * 4, pfn);
    n++;
  }
  return n;
}

export function pageZone(pfn: u32): i32 {
  if (pfn == header(HDR_ZERO_PFN)) return 0;
  return validPfn(pfn) ? zoneOfPfn(pfn) : -EINVAL;
}

/** A page in use that a caller may refer to. */
function usable(pfn: u32): bool {
  return validPfn(pfn) && !folioOf(pfn).has(FOLIO_FREE);
}

export function pageGet(pfn: u32): i32 {
  if (!usable(pfn)) return -EINVAL;
  getPage(pfn);
  addExternalRefs(1);
  return 0;
}

/** Drops a reference that the caller owns. -EINVAL for a page whose references all belong to its mappings. */
export function pagePut(pfn: u32): i32 {
  if (!usable(pfn)) return -EINVAL;
  const folio = folioOf(pfn);
  if (folio.refcount <= folio.mapcount) return -EINVAL;
  if (folio.refcount == 1) folio.clear(FOLIO_LOCKED);
  putPage(pfn);
  addExternalRefs(-1);
  return 0;
}

export function pageTryLock(pfn: u32): i32 {
  if (!usable(pfn)) return -EINVAL;
  const folio = folioOf(pfn);
  if (folio.has(FOLIO_LOCKED)) return 0;
  folio.set(FOLIO_LOCKED);
  return 1;
}

export function pageUnlock(pfn: u32): i32 {
  if (!usable(pfn) || !folioOf(pfn).has(FOLIO_LOCKED)) return -EINVAL;
  folioOf(pfn).clear(FOLIO_LOCKED);
  return 0;
}

export function pageData(pfn: u32): u32 {
  return usable(pfn) && frameOf(0) ? <u32>frameOf(pfn) : 0;
}

/** Copies each candidate's page to its destination; zeroes the destinations of holes. Pages done; -EINVAL, before any, for a pfn that is none. */
export function copyPages(src: usize, dst: usize, n: u32): i32 {
  for (let i: u32 = 0; i < n; i++) {
    const to = load<u32>(dst + i * 4);
    if (to & <u32>MIGRATE_PFN_VALID && !usable(to & PFN_MASK)) return -EINVAL;
    const from = load<u32>(src + i * 4);
    if (from & <u32>MIGRATE_PFN_VALID && !usable(from & PFN_MASK)) return -EINVAL;
  }
  let copied: u32 = 0;
  let zeroed: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const from = load<u32>(src + i * 4);
    const to = load<u32>(dst + i * 4);
    if (!(from & MIGRATE_PFN_MIGRATE) || !(to & <u32>MIGRATE_PFN_VALID)) continue;
    if (from & <u32>MIGRATE_PFN_VALID) {
      copyFrame(to & PFN_MASK, from & PFN_MASK);
      copied++;
    } else {
      zeroFrame(to & PFN_MASK);
      zeroed++;
    }
  }
  count(COUNT_PAGES_COPIED, copied);
  count(COUNT_PAGES_ZEROED, zeroed);
  return copied + zeroed;
}
