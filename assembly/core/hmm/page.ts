// What a driver may do with a single page: take and drop references, lock it, isolate it from the LRU, reach
// its bytes. Each function refuses a pfn that names no page in use with -EINVAL.

import { FOLIO_FREE, FOLIO_LOCKED, FOLIO_LRU, FOLIO_RESERVED } from "../../abi/frame";
import { HDR_ZERO_PFN } from "../../abi/header";
import { EINVAL, ENOMEM } from "../../uapi/errno";
import { header } from "../base/layout";
import { folioOf, frameOf, isDevicePfn } from "../frame/folio";
import { markFrame } from "../frame/frame";
import { validPfn, zoneOfPfn } from "../frame/zone";
import { dropCallerRefs, isLockedByEngine, takeRefs } from "../operation/refs";

/** Is it a page in use, to which a caller may refer? */
function isUsable(pfn: u32): bool {
  return validPfn(pfn) && folioOf(pfn).refcount != 0;
}

/** Returns the zone of a page: 0 for system memory (the zero page included), else its devmem's id. */
export function pageZone(pfn: u32): i32 {
  if (pfn == header(HDR_ZERO_PFN)) return 0;
  return validPfn(pfn) ? zoneOfPfn(pfn) : -EINVAL;
}

/** get_page: takes a reference that the caller owns from now on. Returns 0. */
export function pageGet(pfn: u32): i32 {
  if (!isUsable(pfn)) return -EINVAL;
  return takeRefs(pfn, 1) ? 0 : -ENOMEM;
}

/**
 * put_page: drops a reference that the caller owns. -EINVAL if all references of the page belong to its
 * mappings.
 */
export function pagePut(pfn: u32): i32 {
  if (!isUsable(pfn)) return -EINVAL;
  return dropCallerRefs(pfn, 1) ? 0 : -EINVAL;
}

/** trylock_page: returns 1 if the caller holds the page's lock now, 0 if the page was locked before. */
export function pageTryLock(pfn: u32): i32 {
  if (!isUsable(pfn)) return -EINVAL;
  const folio = folioOf(pfn);
  if (folio.has(FOLIO_LOCKED)) return 0;
  folio.set(FOLIO_LOCKED);
  return 1;
}

/** unlock_page: returns 0, or -EINVAL if the page is not locked. */
export function pageUnlock(pfn: u32): i32 {
  if (!isUsable(pfn) || !folioOf(pfn).has(FOLIO_LOCKED) || isLockedByEngine(pfn)) return -EINVAL;
  folioOf(pfn).clear(FOLIO_LOCKED);
  return 0;
}

/**
 * folio_isolate_lru: takes the page off the LRU, and a reference that the caller owns. Returns 1, or 0 if the
 * page is not on the LRU.
 */
export function pageIsolate(pfn: u32): i32 {
  if (!isUsable(pfn)) return -EINVAL;
  if (!folioOf(pfn).has(FOLIO_LRU)) return 0;
  folioOf(pfn).clear(FOLIO_LRU);
  pageGet(pfn);
  return 1;
}

/**
 * folio_putback_lru: undoes pageIsolate(). Returns 0, or -EINVAL for a page that pageIsolate() did not take.
 */
export function pagePutback(pfn: u32): i32 {
  if (!isUsable(pfn) || isDevicePfn(pfn) || folioOf(pfn).has(FOLIO_LRU | FOLIO_RESERVED)) return -EINVAL;
  const refused = pagePut(pfn);
  if (!refused && !folioOf(pfn).has(FOLIO_FREE)) folioOf(pfn).set(FOLIO_LRU);
  return refused;
}

/**
 * Returns the address of the page's 4096 bytes in linear memory, which the caller may change; 0 for no page
 * in use, or where frames have no bytes.
 */
export function pageData(pfn: u32): u32 {
  if (!isUsable(pfn) || !frameOf(0)) return 0;
  markFrame(pfn);
  return <u32>frameOf(pfn);
}
