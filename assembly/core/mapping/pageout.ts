// MADV_PAGEOUT moves anonymous pages to swap space; MADV_WILLNEED reads them ahead from there.

import {
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_DIRTY,
  FOLIO_HEAD,
  FOLIO_LARGE,
  FOLIO_LAZYFREE,
  FOLIO_LOCKED,
  FOLIO_LRU,
  FOLIO_REFERENCED,
  FOLIO_SWAP_CACHE,
} from "../../abi/frame";
import { HDR_FLAG_SWAP, HDR_FLAGS } from "../../abi/header";
import { REQUEST } from "../../abi/request";
import { MMU_NOTIFY_CLEAR } from "../../uapi/event";
import { PAGE_SIZE } from "../../uapi/page";
import {
  PTE_DIRTY,
  PTE_EXCLUSIVE,
  PTE_KIND_SWAP,
  PTE_NO_ACCESS,
  PTE_SPECIAL,
  PTE_YOUNG,
} from "../../uapi/pte";
import { header } from "../base/layout";
import { makePte, pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { swapsWhole } from "../base/rules";
import { allocUserPage } from "../fault/common";
import { Folio, folioOf } from "../frame/folio";
import { copyFrame } from "../frame/frame";
import { largeAll, largeHeld, largeShared, markLarge, maybePinned } from "../frame/large";
import { pagesAt } from "../frame/order";
import { putPage } from "../frame/page-alloc";
import { Cmd } from "../operation/cmd";
import { coversFolio, splitFolio, splitLarge } from "../operation/split";
import { endMapping, firstMapping, firstPart, nextMapping, nextPart } from "../operation/tell";
import { Mm, mmAt } from "../space/mm";
import { mapsPage } from "../space/migration";
import { partEnd, partStart, rmapVma } from "../space/rmap";
import {
  freeSwap,
  swapAlloc,
  swapAllocRun,
  swapCacheAdd,
  swapCached,
  swapCacheDrop,
  swapGet,
  swapPutMapped,
} from "../space/swap";
import { vmaAt, vmaLookup } from "../space/vma";
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
   * The page that is leaving, or the first of a large folio, and the slot of swap space that it gets (0:
   * none, as its contents do not matter); 0 between pages. The operation counts as an entry that names the
   * slot, so that what callbacks do meanwhile does not free it. /
   */
  pfn: u32;
  slot: u32;
  /** How many pages leave together, to as many slots. */
  pages: u32;
}

/**
 * MADV_PAGEOUT of [start, end), which lies in one vma: moves its anonymous pages to swap space, and drops
 * those that MADV_FREE gave up. A page stays if several processes map it, if it is locked, or if swap space
 * is full or off. 0 or REQUEST. /
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

/** pageOut() of the page at state.cursor, or the large folio that begins there. 0 or REQUEST. */
function outPage(cmd: Cmd, state: PageoutState, mm: Mm, start: u64, end: u64): i32 {
  const addr = state.cursor;
  if (!cmd.link) {
    const first = addr == start || (addr & HUGE_MASK) == 0;
    if (first && splitBlock(cmd, mm, addr, end) == REQUEST) return REQUEST;
    const chosen = choosePages(cmd, state, mm, addr, end);
    if (chosen == REQUEST || !chosen) return chosen;
  }
  if (unmapPages(cmd, state) == REQUEST) return REQUEST;
  for (let i: u32 = 0; i < state.pages; i++) endPage(state.slot ? state.slot + i : 0, state.pfn + i);
  state.cursor += (<u64>(state.pages - 1)) << 12;
  state.pfn = 0;
  state.slot = 0;
  return 0;
}

/**
 * The page goes when only the cache's reference is left. A page that others hold stays in the cache, unless
 * no entry names its slot. A page that MADV_FREE gave up (slot 0) is gone already, unless it stays.
 */
function endPage(slot: u32, pfn: u32): void {
  if (!slot) return;
  const folio = folioOf(pfn);
  swapPutMapped(slot); // the page is in the cache: the slot stays
  if (folio.refcount == 1) {
    copyFrame(slot, pfn);
    swapCacheDrop(pfn);
  } else freeSwap(pfn, folio);
}

/**
 * As in Linux, what is huge in a leaf is split, and its pages leave, before the next leaf is looked at. Where
 * large folios leave in one piece, only those of which the range maps a part are split. 0 or REQUEST.
 */
function splitBlock(cmd: Cmd, mm: Mm, from: u64, end: u64): i32 {
  return splitLarge(cmd, vmaLookup(mm, from), from, leafEnd(from, end), !swapsWhole());
}

/**
 * Chooses the page at addr, or the large folio that begins there, and puts it into the swap cache. 1, 0 if it
 * stays, or REQUEST.
 */
function choosePages(cmd: Cmd, state: PageoutState, mm: Mm, addr: u64, end: u64): i32 {
  const entry = walk(mm.pgd, addr);
  const pte: u64 = entry ? load<u64>(entry) : 0;
  if (!ptePresent(pte) || pteFlags(pte) & PTE_SPECIAL) return 0;
  const pfn = ptePfn(pte);
  if (!folioOf(pfn).has(FOLIO_HEAD) || !swapsWhole()) return choosePage(state, entry) ? 1 : 0;
  if (!coversFolio(mm.pgd, addr, end, pfn)) return 0;
  const chosen = chooseLarge(state, entry, pfn);
  if (chosen >= 0) return chosen;
  // Swap space has no room for it in one piece: its pages leave one by one.
  if (splitFolio(cmd, pfn) == REQUEST) return REQUEST;
  return choosePage(state, entry) ? 1 : 0;
}

/**
 * choosePages() of a large folio, whose first entry is at `entry`. 1, 0 if it stays, -1 without room for
 * it.
 */
function chooseLarge(state: PageoutState, entry: usize, head: u32): i32 {
  const n = pagesAt(head);
  let dirty = false;
  for (let i: u32 = 0; i < n; i++) {
    const at = entry + i * 8;
    if (pteFlags(load<u64>(at)) & PTE_DIRTY) dirty = true;
    store<u64>(at, load<u64>(at) & ~(<u64>PTE_YOUNG));
  }
  markLarge(head, FOLIO_REFERENCED, 0);
  if (!largeAll(head, FOLIO_ANON | FOLIO_LRU | FOLIO_LOCKED | FOLIO_SWAP_CACHE, FOLIO_ANON | FOLIO_LRU))
    return 0;
  if (largeShared(head) || largeHeld(head, 0) || maybePinned(head)) return 0;
  state.pfn = head;
  state.pages = n;
  state.slot = 0;
  if (largeAll(head, FOLIO_LAZYFREE | FOLIO_DIRTY, FOLIO_LAZYFREE) && !dirty) return 1;
  markLarge(head, FOLIO_LAZYFREE, 0);
  if (header(HDR_FLAGS) & HDR_FLAG_SWAP) state.slot = swapAllocRun(ctz(n));
  if (!state.slot) return -1;
  for (let i: u32 = 0; i < n; i++) {
    swapCacheAdd(state.slot + i, head + i);
    swapGet(state.slot + i);
  }
  return 1;
}

/**
 * Marks the page of an entry as not used lately and, if it may leave, puts it into the swap cache. A page
 * that MADV_FREE gave up, and nobody has written since, needs no slot. /
 */
function choosePage(state: PageoutState, entry: usize): bool {
  const pte = load<u64>(entry);
  store<u64>(entry, pte & ~(<u64>PTE_YOUNG));
  const pfn = ptePfn(pte);
  const folio = folioOf(pfn);
  folio.clear(FOLIO_REFERENCED);
  if (!mayLeave(pfn, folio)) return false;
  state.pfn = pfn;
  state.pages = 1;
  state.slot = 0;
  if (folio.has(FOLIO_LAZYFREE)) return true;
  if (!(header(HDR_FLAGS) & HDR_FLAG_SWAP)) return false;
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

/**
 * try_to_unmap: replaces all entries that map the pages of the state by swap entries. The first entry that
 * stays ends it: vmas that come later are not told. 0 or REQUEST.
 */
function unmapPages(cmd: Cmd, state: PageoutState): i32 {
  const pfn = state.pfn;
  if (state.pages > 1) {
    const folio = folioOf(pfn);
    let told = firstPart(cmd, pfn, MMU_NOTIFY_CLEAR, 0);
    for (; told; told = nextPart(cmd, pfn, MMU_NOTIFY_CLEAR, 0)) {
      if (told == REQUEST) return REQUEST;
      const vma = vmaAt(<u32>told);
      const end = partEnd(vma, folio.pgoff, state.pages);
      for (let addr = partStart(vma, folio.pgoff); addr < end; addr += PAGE_SIZE) {
        const entry = walk(vma.mm.pgd, addr);
        const part: u32 = entry ? ptePfn(load<u64>(entry)) : 0;
        if (part - pfn >= state.pages || !mapsPage(load<u64>(entry), part)) continue;
        if (unmapEntry(state, vma.mm, entry, part)) continue;
        endMapping(cmd);
        return 0;
      }
    }
    return 0;
  }
  const folio = folioOf(pfn);
  let entry = firstMapping(cmd, pfn, folio, MMU_NOTIFY_CLEAR, 0);
  for (; entry; entry = nextMapping(cmd, pfn, folio, MMU_NOTIFY_CLEAR, 0)) {
    if (entry == REQUEST) return REQUEST;
    if (unmapEntry(state, rmapVma(cmd.link, folio).mm, entry, pfn)) continue;
    endMapping(cmd);
    break;
  }
  return 0;
}

/**
 * try_to_unmap_one: the entry of a page becomes a swap entry. The entry of a page that MADV_FREE gave up
 * becomes empty; a page that was written since, or that somebody refers to, stays. Returns whether it went. /
 */
function unmapEntry(state: PageoutState, mm: Mm, entry: usize, pfn: u32): bool {
  const folio = folioOf(pfn);
  const pte = load<u64>(entry);
  if (state.slot) {
    const slot = state.slot + (pfn - state.pfn);
    const exclusive = folio.has(FOLIO_ANON_EXCLUSIVE) ? PTE_EXCLUSIVE : 0;
    store<u64>(entry, makePte(slot, PTE_KIND_SWAP | exclusive | (pteFlags(pte) & PTE_NO_ACCESS)));
    swapGet(slot);
    mm.rssSwap++;
  } else {
    if (pteFlags(pte) & PTE_DIRTY || folio.has(FOLIO_DIRTY)) {
      folio.clear(FOLIO_LAZYFREE);
      return false;
    }
    if (folio.refcount != folio.mapcount) return false;
    store<u64>(entry, 0);
  }
  folio.clear(FOLIO_ANON_EXCLUSIVE);
  mm.rssAnon--;
  folio.maps--;
  putPage(pfn);
  return true;
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
