// Swap space: a zone of frames that no entry maps. Each such frame is a slot, which swap entries name:
//
//   swap entry ──▶ slot: a folio, whose refs are the entries that name it; index: the cached page, or 0
//
// The swap cache keeps pages whose swap entries exist while other references to the page, or other entries
// for the slot, remain. The way from a page to its slot is a hash table in linear memory: pairs of u32 (pfn,
// slot), open addressing.

import { FOLIO_DIRTY, FOLIO_FREE, FOLIO_LOCKED, FOLIO_SWAP_CACHE } from "../../abi/frame";
import { HDR_SWAP_HASH, HDR_SWAP_HASH_MASK } from "../../abi/header";
import { SWAP_ZONE } from "../../abi/zone";
import { header } from "../base/layout";
import { Folio, folioOf } from "../frame/folio";
import { allocFrame, getPage, putPage } from "../frame/page-alloc";
import { freeFrame } from "../frame/page-free";
import { allocRun } from "../frame/page-run";

/** Allocates a slot, which no entry names yet. Returns 0 when swap space is full, or there is none. */
export function swapAlloc(): u32 {
  const slot = allocFrame(SWAP_ZONE);
  if (slot) folioOf(slot).refs = 0;
  return slot;
}

/** As swapAlloc(), 2^order slots in order: returns the first. */
export function swapAllocRun(order: u32): u32 {
  const first = allocRun(SWAP_ZONE, order, false);
  if (first) for (let i: u32 = 0; i < (<u32>1) << order; i++) folioOf(first + i).refs = 0;
  return first;
}

/** Frees a slot that no entry names. */
function freeSlot(slot: u32): void {
  const folio = folioOf(slot);
  folio.refs = 0;
  folio.index = 0;
  folio.flags = <u16>FOLIO_FREE;
  freeFrame(slot);
}

/** Returns the page that the swap cache has for a slot, or 0. */
@inline
export function swapCached(slot: u32): u32 {
  return folioOf(slot).index;
}

/** Counts an entry that names the slot in. */
export function swapGet(slot: u32): void {
  folioOf(slot).refs++;
}

/**
 * Counts an entry out. The last one frees the slot, and drops its page from the cache if nothing maps or
 * locks it.
 */
export function swapPut(slot: u32): void {
  const folio = folioOf(slot);
  assert(folio.refs > 0, "swapPut: no entry names this slot");
  if (--folio.refs) return;
  const pfn = folio.index;
  if (!pfn) return freeSlot(slot);
  if (!folioOf(pfn).mapcount && !folioOf(pfn).has(FOLIO_LOCKED)) swapCacheDrop(pfn);
}

/** As swapPut(), for an entry that becomes a mapping of the cached page: the page stays in the cache. */
export function swapPutMapped(slot: u32): void {
  const folio = folioOf(slot);
  assert(folio.refs > 0, "swapPutMapped: no entry names this slot");
  if (!--folio.refs && !folio.index) freeSlot(slot);
}

// ── The swap cache ─────────────────────────────────────────────────────────────────────────────────────────

/** Returns the number of the cell where the search for a page begins. */
@inline
function home(pfn: u32): u32 {
  return (pfn * 0x9e3779b1) & header(HDR_SWAP_HASH_MASK);
}

/** Returns the address of a cell. */
@inline
function cell(at: u32): usize {
  return header(HDR_SWAP_HASH) + at * 8;
}

/** Returns the number of a page's cell; of the empty cell where it belongs, if it has none. */
function find(pfn: u32): u32 {
  let at = home(pfn);
  while (load<u32>(cell(at)) && load<u32>(cell(at)) != pfn) at = (at + 1) & header(HDR_SWAP_HASH_MASK);
  return at;
}

/** Returns the slot of a page that is in the swap cache. */
export function swapSlotOf(pfn: u32): u32 {
  return load<u32>(cell(find(pfn)), 4);
}

/** Adds a page to the cache, which takes a reference to it. */
export function swapCacheAdd(slot: u32, pfn: u32): void {
  folioOf(slot).index = pfn;
  folioOf(pfn).set(FOLIO_SWAP_CACHE);
  getPage(pfn);
  const at = cell(find(pfn));
  store<u32>(at, pfn);
  store<u32>(at, slot, 4);
}

/** Drops a page from the cache. Page and slot are freed if nothing else refers to them. */
export function swapCacheDrop(pfn: u32): void {
  let at = find(pfn);
  const slot = load<u32>(cell(at), 4);
  // Later cells of the cluster move up, so that no search ends too early.
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

/**
 * Drops a page from the cache if no entry names its slot (folio_free_swap). Returns false if an entry does.
 */
export function freeSwap(pfn: u32, folio: Folio): bool {
  if (!folio.has(FOLIO_SWAP_CACHE)) return true;
  if (folioOf(swapSlotOf(pfn)).refcount) return false;
  folio.set(FOLIO_DIRTY);
  swapCacheDrop(pfn);
  return true;
}

/** Drops an unmapped page from the swap cache if no entry names its slot. */
@inline
export function dropUnmapped(pfn: u32, folio: Folio): void {
  if (folio.has(FOLIO_SWAP_CACHE) && !folio.mapcount) freeSwap(pfn, folio);
}
