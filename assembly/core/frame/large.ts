// Large folios: the 512 frames of a block, which stay together. Each part has its own folio record and its own counts;
// the functions here go over all of them.

import { FOLIO_TAIL } from "../../abi/frame";
import { LARGE_PAGES } from "../base/layout";
import { folioOf } from "./folio";
import { copyFrame, zeroFrame } from "./frame";
import { putPage } from "./page-alloc";

/** The first pfn of the folio that a page belongs to. */
@inline
export function headOf(pfn: u32): u32 {
  return folioOf(pfn).has(FOLIO_TAIL) ? pfn & ~(LARGE_PAGES - 1) : pfn;
}

/** References to the parts of a large folio. */
export function largeRefs(head: u32): u32 {
  let refs: u32 = 0;
  for (let pfn = head; pfn < head + LARGE_PAGES; pfn++) refs += folioOf(pfn).refcount;
  return refs;
}

/** Entries that map parts of a large folio. */
export function largeMaps(head: u32): u32 {
  let maps: u32 = 0;
  for (let pfn = head; pfn < head + LARGE_PAGES; pfn++) maps += folioOf(pfn).mapcount;
  return maps;
}

/** Does any process map a part of a large folio that another one maps, too? */
export function largeShared(head: u32): bool {
  for (let pfn = head; pfn < head + LARGE_PAGES; pfn++) if (folioOf(pfn).mapcount > 1) return true;
  return false;
}

/**
 * Does anybody refer to a part beyond the entries that map it, `own` references that the caller knows of, and the
 * reference that a fault has on the part `faultPage` (0: no fault)?
 */
export function largeHeld(head: u32, own: u32, faultPage: u32): bool {
  for (let pfn = head; pfn < head + LARGE_PAGES; pfn++) {
    const explained = folioOf(pfn).mapcount + own + (pfn == faultPage ? 1 : 0);
    if (folioOf(pfn).refcount != explained) return true;
  }
  return false;
}

/** Are the bits `mask` of the flags equal to `flags` in every part, but for the part `except` (0: no exception)? */
export function largeAll(head: u32, mask: u32, flags: u32, except: u32 = 0): bool {
  for (let pfn = head; pfn < head + LARGE_PAGES; pfn++) {
    if ((folioOf(pfn).flags & mask) != flags && pfn != except) return false;
  }
  return true;
}

/** Clears the bits `clear` of every part's flags, then sets the bits `set`. */
export function markLarge(head: u32, clear: u32, set: u32): void {
  for (let pfn = head; pfn < head + LARGE_PAGES; pfn++) {
    folioOf(pfn).flags = <u16>((folioOf(pfn).flags & ~clear) | set);
  }
}

/** Notes that every part is charged to the group `memcg`; the caller has charged it. */
export function chargeLarge(head: u32, memcg: u32): void {
  for (let pfn = head; pfn < head + LARGE_PAGES; pfn++) folioOf(pfn).memcg = memcg;
}

/** Zeroes the bytes of every part. */
export function zeroLarge(head: u32): void {
  for (let pfn = head; pfn < head + LARGE_PAGES; pfn++) zeroFrame(pfn);
}

/** Copies the bytes of every part of the folio `from` to the folio `to`. */
export function copyLarge(to: u32, from: u32): void {
  for (let i: u32 = 0; i < LARGE_PAGES; i++) copyFrame(to + i, from + i);
}

/** Drops one reference of every part; the folio is freed with the last reference to any. */
export function putLarge(head: u32): void {
  for (let pfn = head; pfn < head + LARGE_PAGES; pfn++) putPage(pfn);
}
