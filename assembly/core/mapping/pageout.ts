// MADV_PAGEOUT: writes anonymous pages to swap space and takes them away; and reading them ahead again.

import {
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_LARGE,
  FOLIO_LOCKED,
  FOLIO_LRU,
  FOLIO_REFERENCED,
  FOLIO_SWAP_CACHE,
} from "../../abi/frame";
import { HDR_FLAGS, HDR_FLAG_SWAP } from "../../abi/header";
import { REQUEST } from "../../abi/request";
import { MMU_NOTIFY_CLEAR } from "../../uapi/event";
import { PAGE_SIZE } from "../../uapi/page";
import { PTE_EXCLUSIVE, PTE_KIND_SWAP, PTE_NO_ACCESS, PTE_SPECIAL, PTE_YOUNG } from "../../uapi/pte";
import { header } from "../base/layout";
import { makePte, pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { allocUserPage } from "../fault/common";
import { Folio, folioOf } from "../frame/folio";
import { copyFrame } from "../frame/frame";
import { putPage } from "../frame/page-alloc";
import { Cmd } from "../operation/cmd";
import { notifyEnd, notifyStart } from "../operation/notify";
import { splitLarge } from "../operation/split";
import { mapsPage } from "../space/migration";
import { Mm, mmAt } from "../space/mm";
import { rmapAddress, rmapFirst, rmapNext, rmapVma } from "../space/rmap";
import { swapAlloc, swapCacheAdd, swapCached, swapCacheDrop, swapGet } from "../space/swap";
import { vmaLookup } from "../space/vma";
import { HUGE_MASK } from "../table/huge";
import { leafEnd, readPte, walk } from "../table/pagetable";

/**
 * Pages out what [start, end) of one vma has; pages that several processes map, that are locked or not anonymous stay,
 * and so does everything when swap space is full or off. cmd.unmapCursor: the page, cmd.d: its slot. 0 or REQUEST.
 */
export function pageOut(cmd: Cmd, start: u64, end: u64): i32 {
  const mm = mmAt(cmd.mm);
  const on = (header(HDR_FLAGS) & HDR_FLAG_SWAP) != 0;
  if (cmd.unmapPhase == 0) {
    cmd.unmapCursor = start;
    cmd.unmapPhase = 1;
  }
  for (; cmd.unmapCursor < end; cmd.unmapCursor += PAGE_SIZE) {
    if (!cmd.link) {
      const first = cmd.unmapCursor == start || (cmd.unmapCursor & HUGE_MASK) == 0;
      if (first && splitBlock(cmd, mm, end) == REQUEST) return REQUEST;
      const slot = walk(mm.pgd, cmd.unmapCursor);
      const pte: u64 = slot ? load<u64>(slot) : 0;
      if (!ptePresent(pte) || pteFlags(pte) & PTE_SPECIAL) continue;
      store<u64>(slot, pte & ~(<u64>PTE_YOUNG));
      cmd.e = ptePfn(pte);
      folioOf(cmd.e).clear(FOLIO_REFERENCED);
      if (!on || !mayLeave(folioOf(cmd.e))) continue;
      cmd.d = swapAlloc();
      if (!cmd.d) continue;
      swapCacheAdd(cmd.d, cmd.e);
    }
    const folio = folioOf(cmd.e);
    if (unmapToSwap(cmd, folio) == REQUEST) return REQUEST;
    // Nobody but the cache refers to it: it goes. Else it stays in the cache, and comes back from there.
    if (folio.refcount == 1) {
      copyFrame(cmd.d, cmd.e);
      swapCacheDrop(cmd.e);
    }
  }
  cmd.unmapPhase = 0;
  return 0;
}

/** Linux goes leaf by leaf: what is huge in one is split, and its pages leave, before it looks at the next. 0 or REQUEST. */
function splitBlock(cmd: Cmd, mm: Mm, end: u64): i32 {
  const from = cmd.unmapCursor;
  return splitLarge(cmd, vmaLookup(mm, from), from, leafEnd(from, end), true);
}

function mayLeave(folio: Folio): bool {
  return (
    folio.has(FOLIO_ANON) &&
    folio.has(FOLIO_LRU) &&
    !folio.has(FOLIO_LOCKED | FOLIO_SWAP_CACHE | FOLIO_LARGE) &&
    folio.mapcount == 1
  );
}

/** try_to_unmap: the entries of the page become swap entries, each vma that may have one being told first. */
function unmapToSwap(cmd: Cmd, folio: Folio): i32 {
  let cursor: usize = cmd.link ? <usize>cmd.link : rmapFirst(folio);
  while (cursor) {
    cmd.link = <u32>cursor;
    const vma = rmapVma(cursor, folio);
    const addr = rmapAddress(vma, folio, cursor);
    if (!notifyStart(cmd, vma.mmId, addr, addr + PAGE_SIZE, MMU_NOTIFY_CLEAR, 0)) return REQUEST;
    const slot = walk(vma.mm.pgd, addr);
    const pte: u64 = slot ? load<u64>(slot) : 0;
    if (pte && mapsPage(pte, cmd.e)) {
      const exclusive = folio.has(FOLIO_ANON_EXCLUSIVE) ? PTE_EXCLUSIVE : 0;
      store<u64>(slot, makePte(cmd.d, PTE_KIND_SWAP | exclusive | (pteFlags(pte) & PTE_NO_ACCESS)));
      swapGet(cmd.d);
      folio.clear(FOLIO_ANON_EXCLUSIVE);
      vma.mm.rssAnon--;
      vma.mm.rssSwap++;
      folio.maps--;
      putPage(cmd.e);
    }
    notifyEnd(cmd);
    if (!folio.mapcount) break;
    cursor = rmapNext(cursor, folio);
  }
  cmd.link = 0;
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
