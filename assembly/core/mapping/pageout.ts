// MADV_PAGEOUT moves anonymous pages to swap space; MADV_WILLNEED reads them ahead from there.

import {
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_LARGE,
  FOLIO_LOCKED,
  FOLIO_LRU,
  FOLIO_REFERENCED,
  FOLIO_SWAP_CACHE,
} from "../../abi/frame";
import { HDR_FLAG_SWAP, HDR_FLAGS } from "../../abi/header";
import { REQUEST } from "../../abi/request";
import { MMU_NOTIFY_CLEAR } from "../../uapi/event";
import { PTE_EXCLUSIVE, PTE_KIND_SWAP, PTE_NO_ACCESS, PTE_SPECIAL, PTE_YOUNG } from "../../uapi/pte";
import { header } from "../base/layout";
import { makePte, pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { allocUserPage } from "../fault/common";
import { Folio, folioOf } from "../frame/folio";
import { copyFrame } from "../frame/frame";
import { maybePinned } from "../frame/large";
import { putPage } from "../frame/page-alloc";
import { Cmd } from "../operation/cmd";
import { splitLarge } from "../operation/split";
import { firstMapping, nextMapping } from "../operation/tell";
import { Mm, mmAt } from "../space/mm";
import { rmapVma } from "../space/rmap";
import {
  freeSwap,
  swapAlloc,
  swapCacheAdd,
  swapCached,
  swapCacheDrop,
  swapGet,
  swapPutMapped,
} from "../space/swap";
import { vmaLookup } from "../space/vma";
import { HUGE_MASK } from "../table/huge";
import { leafEnd, leafTable, nextPage, slotOf, slotsEnd, spanEnd, walk } from "../table/pagetable";

/** The state of pageOut(), embedded in MadviseCmd; all 0 before and after. */
@unmanaged
export class PageoutState {
  /** The address at hand. */
  cursor: u64;
  /** 1 once the cursor is set. */
  begun: u32;
  /**
   * The page that is leaving, and the slot of swap space that it gets; 0 between pages. The operation counts
   * as an entry that names the slot, so that what callbacks do meanwhile does not free it.
   */
  pfn: u32;
  slot: u32;
}

/**
 * MADV_PAGEOUT of [start, end), which lies in one vma: moves its anonymous pages to swap space. A page stays
 * if several processes map it, if it is locked, or if swap space is full or off. 0 or REQUEST.
 */
export function pageOut(cmd: Cmd, state: PageoutState, start: u64, end: u64): i32 {
  const mm = mmAt(cmd.mm);
  if (!state.begun) {
    state.cursor = start;
    state.begun = 1;
  }
  while (state.cursor < end) {
    const table = leafTable(mm.pgd, state.cursor);
    if ((table || cmd.link) && outPage(cmd, state, mm, start, end) == REQUEST) return REQUEST;
    state.cursor = nextPage(mm.pgd, table, state.cursor);
  }
  state.begun = 0;
  return 0;
}

/** pageOut() of the page at state.cursor, which a leaf table covers. 0 or REQUEST. */
function outPage(cmd: Cmd, state: PageoutState, mm: Mm, start: u64, end: u64): i32 {
  const addr = state.cursor;
  if (!cmd.link) {
    const first = addr == start || (addr & HUGE_MASK) == 0;
    if (first && splitBlock(cmd, mm, addr, end) == REQUEST) return REQUEST;
    if (!choosePage(state, walk(mm.pgd, addr))) return 0;
  }
  const folio = folioOf(state.pfn);
  if (unmapToSwap(cmd, folio, state.pfn, state.slot) == REQUEST) return REQUEST;
  endPage(state, folio);
  return 0;
}

/**
 * The page goes when only the cache's reference is left. A page that others hold stays in the cache, unless
 * no entry names its slot.
 */
function endPage(state: PageoutState, folio: Folio): void {
  const pfn = state.pfn;
  const slot = state.slot;
  state.pfn = 0;
  state.slot = 0;
  swapPutMapped(slot); // the page is in the cache: the slot stays
  if (folio.refcount == 1) {
    copyFrame(slot, pfn);
    swapCacheDrop(pfn);
  } else freeSwap(pfn, folio);
}

/**
 * As in Linux, what is huge in a leaf is split, and its pages leave, before the next leaf is looked at. 0 or
 * REQUEST.
 */
function splitBlock(cmd: Cmd, mm: Mm, from: u64, end: u64): i32 {
  return splitLarge(cmd, vmaLookup(mm, from), from, leafEnd(from, end), true);
}

/**
 * Marks the page of an entry (0: none) as not used lately and, if it may leave, puts it into the swap cache.
 */
function choosePage(state: PageoutState, entry: usize): bool {
  const pte: u64 = entry ? load<u64>(entry) : 0;
  if (!ptePresent(pte) || pteFlags(pte) & PTE_SPECIAL) return false;
  store<u64>(entry, pte & ~(<u64>PTE_YOUNG));
  const pfn = ptePfn(pte);
  const folio = folioOf(pfn);
  folio.clear(FOLIO_REFERENCED);
  if (!(header(HDR_FLAGS) & HDR_FLAG_SWAP) || !mayLeave(pfn, folio)) return false;
  state.pfn = pfn;
  state.slot = swapAlloc();
  if (!state.slot) return false;
  swapCacheAdd(state.slot, pfn);
  swapGet(state.slot);
  return true;
}

/**
 * Is the page anonymous, on the LRU, unlocked, small, not swapped already, mapped once, and not pinned for
 * long?
 */
function mayLeave(pfn: u32, folio: Folio): bool {
  return (
    folio.has(FOLIO_ANON) &&
    folio.has(FOLIO_LRU) &&
    !folio.has(FOLIO_LOCKED | FOLIO_SWAP_CACHE | FOLIO_LARGE) &&
    folio.mapcount == 1 &&
    !maybePinned(pfn)
  );
}

/** try_to_unmap: replaces all entries that map the page by swap entries. 0 or REQUEST. */
function unmapToSwap(cmd: Cmd, folio: Folio, pfn: u32, slot: u32): i32 {
  let entry = firstMapping(cmd, pfn, folio, MMU_NOTIFY_CLEAR, 0);
  for (; entry; entry = nextMapping(cmd, pfn, folio, MMU_NOTIFY_CLEAR, 0)) {
    if (entry == REQUEST) return REQUEST;
    const mm = rmapVma(cmd.link, folio).mm;
    const pte = load<u64>(entry);
    const exclusive = folio.has(FOLIO_ANON_EXCLUSIVE) ? PTE_EXCLUSIVE : 0;
    store<u64>(entry, makePte(slot, PTE_KIND_SWAP | exclusive | (pteFlags(pte) & PTE_NO_ACCESS)));
    swapGet(slot);
    folio.clear(FOLIO_ANON_EXCLUSIVE);
    mm.rssAnon--;
    mm.rssSwap++;
    folio.maps--;
    putPage(pfn);
  }
  return 0;
}

/** MADV_WILLNEED: reads the swapped pages of [start, end) into the swap cache, as far as memory reaches. */
export function swapAhead(mm: Mm, start: u64, end: u64): void {
  let next = start;
  while (next < end) {
    const addr = next;
    const table = leafTable(mm.pgd, addr);
    next = spanEnd(mm.pgd, table, addr, end);
    if (!table) continue;
    const last = slotsEnd(table, addr, next);
    for (let at = slotOf(table, addr); at < last; at += 8) {
      const pte = load<u64>(at);
      if (pteKind(pte) == PTE_KIND_SWAP && !swapCached(ptePfn(pte)) && !readSlot(mm, ptePfn(pte))) return;
    }
  }
}

/** Reads a slot of swap space into the swap cache. False when memory is exhausted. */
function readSlot(mm: Mm, slot: u32): bool {
  const pfn = allocUserPage(mm);
  if (!pfn) return false;
  copyFrame(pfn, slot);
  folioOf(pfn).set(FOLIO_LRU);
  swapCacheAdd(slot, pfn);
  putPage(pfn);
  return true;
}
