// Swap space: a zone of frames that no table maps. A swap entry names a slot (such a frame); the slot's reference count
// is the number of entries that name it, and its index the page that the swap cache has for it, if any.
//
// The swap cache is for pages that cannot leave, or not alone: somebody else refers to them, or other entries name the
// slot. From page to slot it is a hash table in linear memory: pairs of u32 (pfn, slot), open addressing.

import { FOLIO_DIRTY, FOLIO_FREE, FOLIO_LOCKED, FOLIO_SWAP_CACHE } from "../../abi/frame";
import { HDR_SWAP_HASH, HDR_SWAP_HASH_MASK } from "../../abi/header";
import { SWAP_ZONE } from "../../abi/zone";
import { header } from "../base/layout";
import { Folio, folioOf } from "../frame/folio";
import { allocFrame, freeFrame, getPage, putPage } from "../frame/page-alloc";

/** A slot that nothing names yet, or 0 when swap space is full (or there is none). */
export function swapAlloc(): u32 {
  const slot = allocFrame(SWAP_ZONE);
  if (slot) folioOf(slot).refs = 0;
  return slot;
}

function freeSlot(slot: u32): void {
  const folio = folioOf(slot);
  folio.refs = 0;
  folio.index = 0;
  folio.flags = <u16>FOLIO_FREE;
  freeFrame(slot);
}


@inline
export function swapCached(slot: u32): u32 {
  return folioOf(slot).index;
}

/** One more entry names the slot. */
export function swapGet(slot: u32): void {
  folioOf(slot).refs++;
}

/** One entry less. A slot that nothing names goes, with the page that only the cache still has. */
export function swapPut(slot: u32): void {
  const folio = folioOf(slot);
  assert(folio.refs > 0, "swapPut: no entry names this slot");
  if (--folio.refs) return;
  const pfn = folio.index;
  if (!pfn) return freeSlot(slot);
  if (!folioOf(pfn).mapcount && !folioOf(pfn).has(FOLIO_LOCKED)) swapCacheDrop(pfn);
}

/** As swapPut(), of an entry that is being replaced by a mapping of the cached page: the page stays in the cache. */
export function swapPutMapped(slot: u32): void {
  const folio = folioOf(slot);
  assert(folio.refs > 0, "swapPutMapped: no entry names this slot");
  if (!--folio.refs && !folio.index) freeSlot(slot);
}

// ── The swap cache ────────────────────────────────────────────────────────────────────────────────────────────

@inline
function home(pfn: u32): u32 {
  return (pfn * 0x9e3779b1) & header(HDR_SWAP_HASH_MASK);
}


@inline
function cell(at: u32): usize {
  return header(HDR_SWAP_HASH) + at * 8;
}

function find(pfn: u32): u32 {
  let at = home(pfn);
  while (load<u32>(cell(at)) && load<u32>(cell(at)) != pfn) at = (at + 1) & header(HDR_SWAP_HASH_MASK);
  return at;
}

/** The slot of a page in the swap cache. */
export function swapSlotOf(pfn: u32): u32 {
  return load<u32>(cell(find(pfn)), 4);
}

/** The cache takes a reference on the page. */
export function swapCacheAdd(slot: u32, pfn: u32): void {
  folioOf(slot).index = pfn;
  folioOf(pfn).set(FOLIO_SWAP_CACHE);
  getPage(pfn);
  const at = cell(find(pfn));
  store<u32>(at, pfn);
  store<u32>(at, slot, 4);
}

/** The cache lets go of a page: it may be free afterwards, and its slot too. */
export function swapCacheDrop(pfn: u32): void {
  let at = find(pfn);
  const slot = load<u32>(cell(at), 4);
  // Later cells of the same cluster move up, so that no search ends too early.
  const mask = header(HDR_SWAP_HASH_MASK);
  let next = (at + 1) & mask;
  while (load<u32>(cell(next))) {
    const want = home(load<u32>(cell(next)));
    if (((next - want) & mask) >= ((next - at) & mask)) {
      store<u64>(cell(at), load<u64>(cell(next)));
      at = next;
    }
    next = (next + 1) & mask;
  }
  store<u64>(cell(at), 0);
  folioOf(slot).index = 0;
  if (!folioOf(slot).refcount) freeSlot(slot);
  folioOf(pfn).clear(FOLIO_SWAP_CACHE);
  putPage(pfn);
}

/** folio_free_swap: takes a page out of the cache if no entry names its slot any more. False if one does. */
export function freeSwap(pfn: u32, folio: Folio): bool {
  if (!folio.has(FOLIO_SWAP_CACHE)) return true;
  if (folioOf(swapSlotOf(pfn)).refcount) return false;
  folio.set(FOLIO_DIRTY);
  swapCacheDrop(pfn);
  return true;
}

/** Out of the swap cache with a page that nothing maps any more, if that is all that is left of it. */
@inline
export function dropUnmapped(pfn: u32, folio: Folio): void {
  if (folio.has(FOLIO_SWAP_CACHE) && !folio.mapcount) freeSwap(pfn, folio);
}
