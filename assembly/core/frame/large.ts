// Large folios: the 512 frames of a block, or a part of a block, as long as they stay together. Each part
// has a folio record and counts of its own; these functions go over all parts.

import { FOLIO_COUNT_MASK, FOLIO_DIRTY, FOLIO_LARGE, FOLIO_SIZE, PIN_BIAS } from "../../abi/frame";
import { LARGE_PAGES } from "../base/layout";
import { folioOf } from "./folio";
import { copyFrames, zeroFrames } from "./frame";
import { headOf, pagesAt } from "./order";
import { putPage } from "./page-alloc";

/** Returns the number of references to all parts. */
export function largeRefs(head: u32): u32 {
  const end = head + pagesAt(head);
  let refs: u32 = 0;
  for (let pfn = head; pfn < end; pfn++) refs += folioOf(pfn).refcount;
  return refs;
}

/** Returns the number of entries that map a part. */
export function largeMaps(head: u32): u32 {
  const end = head + pagesAt(head);
  let maps: u32 = 0;
  for (let pfn = head; pfn < end; pfn++) maps += folioOf(pfn).mapcount;
  return maps;
}

/**
 * Returns the index of the first part of a large folio that an entry maps; its number of pages if none is.
 */
export function mappedPart(head: u32): u32 {
  const n = pagesAt(head);
  let i: u32 = 0;
  while (i < n && !folioOf(head + i).mapcount) i++;
  return i;
}

/** Tells whether two entries map the same part. */
export function largeShared(head: u32): bool {
  const end = head + pagesAt(head);
  for (let pfn = head; pfn < end; pfn++) if (folioOf(pfn).mapcount > 1) return true;
  return false;
}

/**
 * Tells whether a part has other references than those of its entries, the caller's (`own` to each part) and
 * that of a fault to the part `faultPage` (0: no fault).
 */
export function largeHeld(head: u32, own: u32, faultPage: u32): bool {
  const end = head + pagesAt(head);
  for (let pfn = head; pfn < end; pfn++) {
    const explained = folioOf(pfn).mapcount + own + (pfn == faultPage ? 1 : 0);
    if (folioOf(pfn).refcount != explained) return true;
  }
  return false;
}

/**
 * Tells whether the bits `mask` of the flags equal `flags` in each part except the part `except` (0: no
 * exception).
 */
export function largeAll(head: u32, mask: u32, flags: u32, except: u32 = 0): bool {
  if (!except) return alike(head, flagBits(mask), flagBits(flags));
  const end = head + pagesAt(head);
  for (let pfn = head; pfn < end; pfn++) {
    if ((folioOf(pfn).flags & mask) != flags && pfn != except) return false;
  }
  return true;
}

/** Tells whether each part has so many references and mappings. */
export function largeCounts(head: u32, refs: u32, maps: u32): bool {
  return alike(head, i32x4(FOLIO_COUNT_MASK, FOLIO_COUNT_MASK, 0, 0), i32x4(refs, maps, 0, 0));
}

/** Tells whether the bits `mask` of each part's record equal `wanted`. */
function alike(head: u32, mask: v128, wanted: v128): bool {
  let at = changetype<usize>(folioOf(head));
  let other = i32x4.splat(0);
  for (const end = at + pagesAt(head) * FOLIO_SIZE; at < end; at += FOLIO_SIZE)
    other = v128.or(other, v128.xor(v128.and(v128.load(at), mask), wanted));
  return !v128.any_true(other);
}

/** Returns a record in which only the flags have bits. */
@inline
function flagBits(flags: u32): v128 {
  return i32x4.replace_lane(i32x4.splat(0), 3, flags << 16);
}

/** Clears the bits `clear` in the flags of each part, then sets the bits `set`. */
export function markLarge(head: u32, clear: u32, set: u32): void {
  const cleared = flagBits(clear);
  const added = flagBits(set);
  let at = changetype<usize>(folioOf(head));
  for (const end = at + pagesAt(head) * FOLIO_SIZE; at < end; at += FOLIO_SIZE)
    v128.store(at, v128.or(v128.andnot(v128.load(at), cleared), added));
}

/**
 * A large folio is dirty as a whole: marks each part dirty if one is. Its parts have marks of their own,
 * which must agree before they become folios.
 */
export function spreadDirty(head: u32): void {
  if (!largeAll(head, FOLIO_DIRTY, 0)) markLarge(head, 0, FOLIO_DIRTY);
}

/** Notes in each part that it is charged to a group. The caller charges the group. */
export function chargeLarge(head: u32, memcg: u32): void {
  const end = head + pagesAt(head);
  for (let pfn = head; pfn < end; pfn++) folioOf(pfn).memcg = memcg;
}

/**
 * folio_maybe_dma_pinned: may the page, or a part of its large folio, be pinned for long? Like Linux, takes a
 * page with PIN_BIAS references of any kind for pinned.
 */
export function maybePinned(pfn: u32): bool {
  if (!folioOf(pfn).has(FOLIO_LARGE)) return folioOf(pfn).refcount >= <u32>PIN_BIAS;
  const head = headOf(pfn);
  const end = head + pagesAt(head);
  for (let part = head; part < end; part++) if (folioOf(part).refcount >= <u32>PIN_BIAS) return true;
  return false;
}

/** Zeroes the bytes of all parts. */
export function zeroLarge(head: u32): void {
  zeroFrames(head, pagesAt(head));
}

/** Copies the bytes of the folio `from` to the folio `to`. */
export function copyLarge(to: u32, from: u32): void {
  copyFrames(to, from, LARGE_PAGES);
}

/** Drops one reference to each part. */
export function putLarge(head: u32): void {
  const end = head + pagesAt(head);
  for (let pfn = head; pfn < end; pfn++) putPage(pfn);
}
