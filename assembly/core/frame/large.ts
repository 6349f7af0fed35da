// Large folios: the 512 frames of a block, or a part of a block, as long as they stay together. Each part
// has a folio record and counts of its own; these functions go over all parts.

import {
  FOLIO_COUNT_MASK,
  FOLIO_DIRTY,
  FOLIO_LARGE,
  FOLIO_SIZE,
  FOLIO_SWAP_CACHE,
  PIN_BIAS,
} from "../../abi/frame";
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
 * Tells whether a part has other references than those of its entries, of the swap cache, and of a fault to
 * the part `faultPage` (0: no fault).
 */
export function largeHeld(head: u32, faultPage: u32): bool {
  const end = head + pagesAt(head);
  for (let pfn = head; pfn < end; pfn++) {
    const folio = folioOf(pfn);
    const cache: u32 = folio.has(FOLIO_SWAP_CACHE) ? 1 : 0;
    if (folio.refcount != folio.mapcount + cache + (pfn == faultPage ? 1 : 0)) return true;
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

/**
 * Tells whether each part has so many references and mappings, and whether the bits `mask` of its flags equal
 * `flags`.
 */
export function largeCounts(head: u32, refs: u32, maps: u32, mask: u32 = 0, flags: u32 = 0): bool {
  const counts = i32x4(FOLIO_COUNT_MASK, FOLIO_COUNT_MASK, 0, 0);
  return alike(head, v128.or(counts, flagBits(mask)), v128.or(i32x4(refs, maps, 0, 0), flagBits(flags)));
}

/** Tells whether all parts have the flags of the first one, but for those that say which part it is. */
export function largeUniform(head: u32): bool {
  return largeAll(head, ~FOLIO_LARGE, folioOf(head).flags & ~FOLIO_LARGE);
}

/** Tells whether the bits `mask` of each part's record equal `wanted`. Folios have even numbers of pages. */
function alike(head: u32, mask: v128, wanted: v128): bool {
  let at = changetype<usize>(folioOf(head));
  let some = i32x4.splat(0);
  let every = i32x4.splat(-1);
  for (const end = at + pagesAt(head) * FOLIO_SIZE; at < end; at += 2 * FOLIO_SIZE) {
    const one = v128.load(at);
    const two = v128.load(at, FOLIO_SIZE);
    some = v128.or(some, v128.or(one, two));
    every = v128.and(every, v128.and(one, two));
  }
  const other = v128.or(v128.xor(some, wanted), v128.xor(every, wanted));
  return !v128.any_true(v128.and(other, mask));
}

/** Returns a record in which only the flags have bits. */
@inline
function flagBits(flags: u32): v128 {
  return i32x4.replace_lane(i32x4.splat(0), 3, flags << 16);
}

/**
 * Clears the bits `clear` in the flags of each part, then sets the bits `set`, and counts `maps` mappings
 * more of each.
 */
export function markLarge(head: u32, clear: u32, set: u32, maps: i32 = 0): void {
  const cleared = flagBits(clear);
  const added = flagBits(set);
  const counted = i32x4(0, maps, 0, 0);
  let at = changetype<usize>(folioOf(head));
  for (const end = at + pagesAt(head) * FOLIO_SIZE; at < end; at += 2 * FOLIO_SIZE) {
    const one = v128.or(v128.andnot(v128.load(at), cleared), added);
    const two = v128.or(v128.andnot(v128.load(at, FOLIO_SIZE), cleared), added);
    v128.store(at, i32x4.add(one, counted));
    v128.store(at, i32x4.add(two, counted), FOLIO_SIZE);
  }
}

/**
 * A large folio is dirty as a whole: marks each part dirty if one is that is in use. Its parts have marks of
 * their own, which must agree before they become folios.
 */
export function spreadDirty(head: u32): void {
  const end = head + pagesAt(head);
  let pfn = head;
  while (pfn < end && !(folioOf(pfn).refcount && folioOf(pfn).has(FOLIO_DIRTY))) pfn++;
  if (pfn < end) markLarge(head, 0, FOLIO_DIRTY);
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
