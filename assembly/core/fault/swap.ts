// Faults on swap entries. A large folio comes back in one piece, if its size is enabled.

import { FAULT_KIND_SWAP } from "../../uapi/event";
import { PTE_DIRTY, PTE_EXCLUSIVE, PTE_PRESENT, PTE_WRITE, PTE_YOUNG } from "../../uapi/pte";
import {
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_DIRTY,
  FOLIO_KSM,
  FOLIO_LARGE,
  FOLIO_LOCKED,
  FOLIO_LRU,
  FOLIO_SWAP_CACHE,
} from "../../abi/frame";
import { HDR_HUGEPAGES, HUGEPAGES_SIZED, ORDER_MIN, PMD_ORDER } from "../../abi/header";
import { ACCESS_WRITE, VM_LOCKED, VM_WRITE } from "../../uapi/vm";
import { header } from "../base/layout";
import { makePte, pteFlags, ptePfn } from "../base/pte";
import { swapInLeavesCache, swapsWhole } from "../base/rules";
import { folioOf } from "../frame/folio";
import { copyFrame } from "../frame/frame";
import { headOf, pagesAt } from "../frame/order";
import { getLarge, getPage } from "../frame/page-alloc";
import { anonVmaAt } from "../space/anon-vma";
import { freeSwap, swapCacheAdd, swapCached, swapPutMapped } from "../space/swap";
import { pgoffOf, protection, Vma } from "../space/vma";
import { allocUserPage, done, mustWait, outOfMemory } from "./common";
import { allocSized, orderEnabled, rangeOf } from "./sized";

/**
 * do_swap_page: maps the page of the swap entry `pte`, which stands at `at`. The page is in the swap cache,
 * or it is read back from its swap slot; with it the others of its large folio, where their entries are as
 * they were. 0, VM_FAULT_OOM, or -EAGAIN for a page that is locked. /
 */
export function swapFault(vma: Vma, addr: u64, at: usize, pte: u64, flags: u32): i32 {
  const mm = vma.mm;
  const slot = ptePfn(pte);
  let pfn = swapCached(slot);
  if (pfn) {
    if (folioOf(pfn).has(FOLIO_LOCKED)) return mustWait(pfn);
    if (folioOf(pfn).has(FOLIO_LARGE) && mapCached(vma, addr, at, pte, pfn, flags)) return 0;
    getPage(pfn);
  } else {
    if (header(HDR_HUGEPAGES) & HUGEPAGES_SIZED && readSized(vma, addr, at, pte, flags)) return 0;
    pfn = allocUserPage(mm);
    if (!pfn) return outOfMemory();
    copyFrame(pfn, slot);
    folioOf(pfn).set(FOLIO_LRU);
    if (folioOf(slot).refcount > 1) swapCacheAdd(slot, pfn);
  }
  mapSwapped(vma, addr, at, pte, pfn, flags);
  return done(vma, addr, FAULT_KIND_SWAP, pfn);
}

/**
 * The entry `pte` at `at`, which names a slot, maps the page `pfn`, to which it gets a reference of the
 * caller's.
 */
function mapSwapped(vma: Vma, addr: u64, at: usize, pte: u64, pfn: u32, flags: u32): void {
  const mm = vma.mm;
  const folio = folioOf(pfn);
  swapPutMapped(ptePfn(pte));
  const write = (flags & ACCESS_WRITE) != 0;
  const leaves = swapInLeavesCache();
  if (folio.has(FOLIO_SWAP_CACHE)) {
    if (leaves || vma.flags & VM_LOCKED || (write && folio.refcount == 2)) freeSwap(pfn, folio);
  } else if (leaves) folio.set(FOLIO_DIRTY);
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
}

/**
 * swap_pte_batch: do n entries from `first` on name n slots in order, `pte` the one at `at`, and the swap
 * cache the pages from `head` on (0: none)? /
 */
function isBatch(first: usize, n: u32, at: usize, pte: u64, head: u32): bool {
  const before = <u32>((at - first) >> 3);
  for (let i: u32 = 0; i < n; i++) {
    const slot = ptePfn(pte) - before + i;
    if (load<u64>(first + i * 8) != makePte(slot, pteFlags(pte))) return false;
    if (swapCached(slot) != (head ? head + i : 0)) return false;
  }
  return true;
}

/** Maps n pages from `head` on, whose slots n entries from `first` on name. */
function mapBatch(vma: Vma, from: u64, first: usize, n: u32, head: u32, flags: u32): void {
  for (let i: u32 = 0; i < n; i++) {
    const at = first + i * 8;
    mapSwapped(vma, from + ((<u64>i) << 12), at, load<u64>(at), head + i, flags);
  }
}

/** Maps a large folio of the swap cache, `pfn` at addr, if its entries are as they were. */
function mapCached(vma: Vma, addr: u64, at: usize, pte: u64, pfn: u32, flags: u32): bool {
  const head = headOf(pfn);
  const n = pagesAt(head);
  const i = pfn - head;
  const from = addr - ((<u64>i) << 12);
  const whole = from >> 21 == (from + ((<u64>n - 1) << 12)) >> 21;
  if (!whole || from < vma.start || from + ((<u64>n) << 12) > vma.end) return false;
  if (!isBatch(at - i * 8, n, at, pte, head)) return false;
  getLarge(head);
  mapBatch(vma, from, at - i * 8, n, head, flags);
  done(vma, addr, FAULT_KIND_SWAP, pfn);
  return true;
}

/** Reads a large folio back: the largest that is enabled, and whose slots follow each other. */
function readSized(vma: Vma, addr: u64, at: usize, pte: u64, flags: u32): bool {
  if (!swapsWhole()) return false;
  for (let order: u32 = PMD_ORDER - 1; order >= <u32>ORDER_MIN; order--) {
    const from = orderEnabled(vma, order) ? rangeOf(vma, addr, order) : 0;
    if (!from) continue;
    const n: u32 = 1 << order;
    const i = <u32>((addr - from) >> 12);
    const slot = ptePfn(pte) - i;
    if (slot & (n - 1) || !isBatch(at - i * 8, n, at, pte, 0)) continue;
    const head = allocSized(vma.mm, order);
    if (!head) continue;
    for (let j: u32 = 0; j < n; j++) {
      copyFrame(head + j, slot + j);
      folioOf(head + j).set(FOLIO_LRU);
      if (folioOf(slot + j).refcount > 1) swapCacheAdd(slot + j, head + j);
    }
    mapBatch(vma, from, at - i * 8, n, head, flags);
    done(vma, addr, FAULT_KIND_SWAP, head + i);
    return true;
  }
  return false;
}
