// Faults on swap entries.

import { FAULT_KIND_SWAP } from "../../uapi/event";
import { PTE_DIRTY, PTE_EXCLUSIVE, PTE_PRESENT, PTE_WRITE, PTE_YOUNG } from "../../uapi/pte";
import {
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_KSM,
  FOLIO_LOCKED,
  FOLIO_LRU,
  FOLIO_SWAP_CACHE,
} from "../../abi/frame";
import { ACCESS_WRITE, VM_LOCKED, VM_WRITE } from "../../uapi/vm";
import { makePte, pteFlags, ptePfn } from "../base/pte";
import { folioOf } from "../frame/folio";
import { copyFrame } from "../frame/frame";
import { getPage } from "../frame/page-alloc";
import { anonVmaAt } from "../space/anon-vma";
import { freeSwap, swapCacheAdd, swapCached, swapPutMapped } from "../space/swap";
import { pgoffOf, protection, Vma } from "../space/vma";
import { allocUserPage, done, mustWait, outOfMemory } from "./common";

/**
 * do_swap_page: maps the page of the swap entry `pte`, which stands at `at`. The page is in the swap cache,
 * or it is read back from its swap slot. 0, VM_FAULT_OOM, or -EAGAIN for a page that is locked.
 */
export function swapFault(vma: Vma, addr: u64, at: usize, pte: u64, flags: u32): i32 {
  const mm = vma.mm;
  const slot = ptePfn(pte);
  let pfn = swapCached(slot);
  if (pfn) {
    if (folioOf(pfn).has(FOLIO_LOCKED)) return mustWait(pfn);
    getPage(pfn);
  } else {
    pfn = allocUserPage(mm);
    if (!pfn) return outOfMemory();
    copyFrame(pfn, slot);
    folioOf(pfn).set(FOLIO_LRU);
    if (folioOf(slot).refcount > 1) swapCacheAdd(slot, pfn);
  }
  const folio = folioOf(pfn);
  swapPutMapped(slot);
  const write = (flags & ACCESS_WRITE) != 0;
  if (folio.has(FOLIO_SWAP_CACHE) && (vma.flags & VM_LOCKED || (write && folio.refcount == 2)))
    freeSwap(pfn, folio);
  const exclusive = !folio.has(FOLIO_KSM) && ((pteFlags(pte) & PTE_EXCLUSIVE) != 0 || folio.refcount == 1);
  if (!folio.has(FOLIO_ANON)) {
    folio.pgoff = pgoffOf(vma, addr);
    folio.mapping = <u16>(exclusive ? vma.anonVma : anonVmaAt(vma.anonVma).root);
    folio.set(FOLIO_ANON);
  }
  folio.maps++;
  if (exclusive) folio.set(FOLIO_ANON_EXCLUSIVE);
  mm.rssSwap--;
  mm.rssAnon++;
  let entry = (<u32>PTE_PRESENT) | PTE_YOUNG | protection(vma);
  if (exclusive && vma.flags & VM_WRITE) entry |= PTE_WRITE | (write ? PTE_DIRTY : 0);
  store<u64>(at, makePte(pfn, entry));
  return done(vma, addr, FAULT_KIND_SWAP, pfn);
}
