// MADV_PAGEOUT: writes anonymous pages to swap space and takes them away; and reading them ahead again.

import { REQUEST } from "../../abi/request";
import { MMU_NOTIFY_CLEAR } from "../../uapi/event";
import { PAGE_SIZE } from "../../uapi/page";
import { PTE_EXCLUSIVE, PTE_KIND_SWAP, PTE_NO_ACCESS, PTE_SPECIAL, PTE_YOUNG } from "../../uapi/pte";
import {
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_LARGE,
  FOLIO_LOCKED,
  FOLIO_LRU,
  FOLIO_REFERENCED,
  FOLIO_SWAP_CACHE,
  HDR_FLAG_SWAP,
  HDR_FLAGS,
} from "../../abi/struct";
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
import { swapAlloc, swapCacheAdd, swapCached, swapCacheDrop, swapGet } from "../space/swap";
import { vmaLookup } from "../space/vma";
import { HUGE_MASK } from "../table/huge";
import { leafEnd, readPte, walk } from "../table/pagetable";

/** How far pageOut() is; all 0 before and after. */
@unmanaged
export class PageoutState {
  /** The page at hand. */
  cursor: u64;
  begun: u32;
  /** Its pfn, and the slot of swap space that it is to have. */
  pfn: u32;
  slot: u32;
}

/**
 * MADV_PAGEOUT of [start, end), which one vma has: pages leave for swap space. A page stays if several processes map it, if
 * it is locked or not anonymous, or if swap space is full or off. 0 or REQUEST.
 */
export function pageOut(cmd: Cmd, state: PageoutState, start: u64, end: u64): i32 {
  const mm = mmAt(cmd.mm);
  const on = (header(HDR_FLAGS) & HDR_FLAG_SWAP) != 0;
  if (!state.begun) {
    state.cursor = start;
    state.begun = 1;
  }
  for (; state.cursor < end; state.cursor += PAGE_SIZE) {
    if (!cmd.link) {
      const first = state.cursor == start || (state.cursor & HUGE_MASK) == 0;
      if (first && splitBlock(cmd, mm, state.cursor, end) == REQUEST) return REQUEST;
      const entry = walk(mm.pgd, state.cursor);
      const pte: u64 = entry ? load<u64>(entry) : 0;
      if (!ptePresent(pte) || pteFlags(pte) & PTE_SPECIAL) continue;
      store<u64>(entry, pte & ~(<u64>PTE_YOUNG));
      state.pfn = ptePfn(pte);
      folioOf(state.pfn).clear(FOLIO_REFERENCED);
      if (!on || !mayLeave(state.pfn, folioOf(state.pfn))) continue;
      state.slot = swapAlloc();
      if (!state.slot) continue;
      swapCacheAdd(state.slot, state.pfn);
    }
    const folio = folioOf(state.pfn);
    if (unmapToSwap(cmd, folio, state.pfn, state.slot) == REQUEST) return REQUEST;
    // With only the cache's reference left the page goes; a page that others hold stays in the cache.
    if (folio.refcount == 1) {
      copyFrame(state.slot, state.pfn);
      swapCacheDrop(state.pfn);
    }
  }
  state.begun = 0;
  return 0;
}

/** As Linux does, leaf by leaf: what is huge in a leaf is split, and its pages leave, before the next. 0 or REQUEST. */
function splitBlock(cmd: Cmd, mm: Mm, from: u64, end: u64): i32 {
  return splitLarge(cmd, vmaLookup(mm, from), from, leafEnd(from, end), true);
}

/** May MADV_PAGEOUT try to write the page to swap space? One that is pinned for long stays. */
function mayLeave(pfn: u32, folio: Folio): bool {
  return (
    folio.has(FOLIO_ANON) &&
    folio.has(FOLIO_LRU) &&
    !folio.has(FOLIO_LOCKED | FOLIO_SWAP_CACHE | FOLIO_LARGE) &&
    folio.mapcount == 1 &&
    !maybePinned(pfn)
  );
}

/** try_to_unmap: swap entries take the place of all entries that map the page. 0 or REQUEST. */
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

/** MADV_WILLNEED over swapped pages: reads them into the swap cache, as far as memory reaches. */
export function swapAhead(mm: Mm, start: u64, end: u64): void {
  for (let addr = start; addr < end; addr += PAGE_SIZE) {
    const pte = readPte(mm.pgd, addr);
    if (pteKind(pte) != PTE_KIND_SWAP || swapCached(ptePfn(pte))) continue;
    const pfn = allocUserPage(mm);
    if (!pfn) return;
    copyFrame(pfn, ptePfn(pte));
    folioOf(pfn).set(FOLIO_LRU);
    swapCacheAdd(ptePfn(pte), pfn);
    putPage(pfn);
  }
}
