// Copy on write. A private page that several mappings share is write-protected in each; a write, or a pin for
// long, gets the page for its mapping alone: in place, where nobody else refers to the page, else by a copy.
//
//   entry                  write                        pin for long, to read (FAULT_FLAG_UNSHARE)
//   of a shared mapping    writes in place              the page as it is
//   exclusive page         makes the entry writable     the page as it is
//   nobody else's page     the same                     marks the page exclusive
//   shared page, file      maps a copy, writable        maps a copy, write-protected
//   zero page              maps a new page, writable    maps a new page, write-protected

import {
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_DIRTY,
  FOLIO_FILE,
  FOLIO_LARGE,
  FOLIO_LRU,
} from "../../abi/frame";
import { REQUEST } from "../../abi/request";
import { FAULT_KIND_COW, FAULT_KIND_REUSE, MMU_NOTIFY_CLEAR } from "../../uapi/event";
import { PAGE_SIZE } from "../../uapi/page";
import { PTE_DIRTY, PTE_HUGE, PTE_SPECIAL, PTE_WRITE, PTE_YOUNG } from "../../uapi/pte";
import { ACCESS_PIN, ACCESS_WRITE, VM_HUGETLB, VM_SHARED, VM_WRITE } from "../../uapi/vm";
import { makePte, pteFlags, ptePfn } from "../base/pte";
import { reusesOwnParts } from "../base/rules";
import { Folio, folioOf } from "../frame/folio";
import { copyFrame, zeroFrame } from "../frame/frame";
import { Cmd } from "../operation/cmd";
import { notifyEnd, notifyStart } from "../operation/notify";
import { anonVmaPrepare } from "../space/anon-vma";
import { isCow, Vma } from "../space/vma";
import { addRss, unmapPage } from "../space/zap";
import {
  addNewAnon,
  allocUserPage,
  done,
  makeExclusive,
  mayReuse,
  outOfMemory,
  readFlags,
  writtenFlags,
} from "./common";
import { FALLBACK, hugeUnshareFault, hugeWriteFault } from "./huge";
import { hugetlbFault } from "./hugetlb";

/** do_wp_page: a write to a present entry that is write-protected. */
export function writeProtectFault(cmd: Cmd, vma: Vma, addr: u64, slot: usize, entry: u64): i32 {
  if (pteFlags(entry) & PTE_HUGE) {
    if (vma.flags & VM_HUGETLB) return hugetlbFault(cmd, vma, addr, ACCESS_WRITE);
    const result = hugeWriteFault(cmd, vma, addr);
    if (result != FALLBACK) return result;
  }
  const pte = load<u64>(slot);
  const pfn = ptePfn(pte);
  const zero = (pteFlags(pte) & PTE_SPECIAL) != 0;
  const folio = folioOf(pfn);
  if (vma.flags & VM_SHARED) {
    // page_mkwrite: the file hears of the first write to a clean page, and the page is written in place.
    if (folio.has(FOLIO_FILE)) folio.set(FOLIO_DIRTY);
    return reusePage(vma, addr, slot, pte);
  }
  if (!zero && folio.has(FOLIO_ANON) && mayReuse(vma, pfn, folio)) {
    makeOwn(folio, vma.anonVma);
    return reusePage(vma, addr, slot, pte);
  }
  return copyPage(cmd, vma, addr, slot, pte, writtenFlags(vma));
}

/** Marks a page as exclusive. A part of a large folio keeps the anon_vma of its folio. */
function makeOwn(folio: Folio, anonVma: u32): void {
  if (folio.has(FOLIO_LARGE) && reusesOwnParts()) folio.set(FOLIO_ANON_EXCLUSIVE);
  else makeExclusive(folio, anonVma);
}

/** wp_page_reuse: the page is written in place. */
function reusePage(vma: Vma, addr: u64, slot: usize, pte: u64): i32 {
  store<u64>(slot, pte | PTE_YOUNG | PTE_DIRTY | (vma.flags & VM_WRITE ? PTE_WRITE : 0));
  return done(vma, addr, FAULT_KIND_REUSE, ptePfn(pte));
}

/**
 * wp_page_copy: tells subscribers, then gives the entry a copy of its page with the flags `flags`; the copy
 * is exclusive to the vma's mm. 0, VM_FAULT_OOM or REQUEST: cmd.newPage keeps the copy's frame meanwhile.
 */
export function copyPage(cmd: Cmd, vma: Vma, addr: u64, slot: usize, pte: u64, flags: u32): i32 {
  const pfn = ptePfn(pte);
  const zero = (pteFlags(pte) & PTE_SPECIAL) != 0;
  const folio = folioOf(pfn);
  if (!anonVmaPrepare(vma)) return outOfMemory();
  if (!cmd.newPage) cmd.newPage = allocUserPage(vma.mm);
  if (!cmd.newPage) return outOfMemory();
  if (!notifyStart(cmd, vma.mmId, addr, addr + PAGE_SIZE, MMU_NOTIFY_CLEAR, 0)) return REQUEST;
  const copy = cmd.newPage;
  cmd.newPage = 0;
  if (zero) zeroFrame(copy);
  else copyFrame(copy, pfn);
  addNewAnon(vma, addr, folioOf(copy), FOLIO_LRU);
  store<u64>(slot, makePte(copy, flags));
  if (!zero) {
    addRss(vma.mm, folio, -1);
    unmapPage(pfn, folio);
  }
  notifyEnd(cmd);
  return done(vma, addr, FAULT_KIND_COW, copy);
}

/**
 * gup_must_unshare: does a pin for long, to read, need another page than the entry names? A page that is not
 * exclusive would be copied away from its mapping at the next write.
 */
export function mustUnshare(pte: u64, vma: Vma): bool {
  const folio = folioOf(ptePfn(pte));
  const anonymous = !(pteFlags(pte) & PTE_SPECIAL) && folio.has(FOLIO_ANON);
  return anonymous ? !folio.has(FOLIO_ANON_EXCLUSIVE) : isCow(vma);
}

/** do_wp_page with FAULT_FLAG_UNSHARE: the entry gets a page that is exclusive, and stays write-protected. */
export function unshareFault(cmd: Cmd, vma: Vma, addr: u64, slot: usize, entry: u64): i32 {
  if (pteFlags(entry) & PTE_HUGE) {
    if (vma.flags & VM_HUGETLB) return hugetlbFault(cmd, vma, addr, ACCESS_PIN);
    const result = hugeUnshareFault(cmd, vma, addr);
    if (result != FALLBACK) return result;
  }
  const pte = load<u64>(slot);
  const pfn = ptePfn(pte);
  const folio = folioOf(pfn);
  if (!(pteFlags(pte) & PTE_SPECIAL) && folio.has(FOLIO_ANON) && mayReuse(vma, pfn, folio)) {
    makeOwn(folio, vma.anonVma);
    return done(vma, addr, FAULT_KIND_REUSE, pfn);
  }
  return copyPage(cmd, vma, addr, slot, pte, readFlags(vma));
}
