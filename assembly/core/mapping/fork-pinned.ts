// fork and pages that are pinned for long. A device may be writing such a page, and the page must stay its
// owner's; so fork does not share it copy-on-write. The child gets a copy, and the parent's entry stays
// (copy_present_page).

import { FOLIO_ANON, FOLIO_ANON_EXCLUSIVE, FOLIO_LRU } from "../../abi/frame";
import { REQUEST } from "../../abi/request";
import { PTE_DIRTY, PTE_SPECIAL, PTE_WRITE } from "../../uapi/pte";
import { VM_HUGETLB, VM_WRITE } from "../../uapi/vm";
import { makePte, pteFlags, ptePfn, ptePresent } from "../base/pte";
import { addNewAnon, allocUserPage, readFlags, writtenFlags } from "../fault/common";
import { mapHugetlb } from "../fault/hugetlb";
import { folioOf } from "../frame/folio";
import { copyFrame } from "../frame/frame";
import { copyLarge, maybePinned } from "../frame/large";
import { takeHugetlb } from "../frame/page-alloc";
import { Cmd } from "../operation/cmd";
import { splitMapping } from "../operation/split";
import { MM_HAS_PINNED } from "../space/mm";
import { isCow, Vma } from "../space/vma";
import { isHuge, leafTable, spanEnd } from "../table/pagetable";

/** Has the vma's mm pinned pages for long, and does fork share the vma's pages? */
export function mayHavePinned(vma: Vma): bool {
  return isCow(vma) && (vma.mm.flags & MM_HAS_PINNED) != 0;
}

/** Does the entry map an anonymous page that belongs to its mapping alone and may be pinned for long? */
export function isPinnedPte(pte: u64): bool {
  if (!ptePresent(pte) || pteFlags(pte) & PTE_SPECIAL) return false;
  const folio = folioOf(ptePfn(pte));
  return folio.has(FOLIO_ANON) && folio.has(FOLIO_ANON_EXCLUSIVE) && maybePinned(ptePfn(pte));
}

/**
 * Splits the huge mappings of a vma that have a pinned page: the child gets copies of single pages. 0 or
 * REQUEST.
 */
export function splitPinned(cmd: Cmd, vma: Vma): i32 {
  if (vma.flags & VM_HUGETLB) return 0;
  const pgd = vma.mm.pgd;
  let next = vma.start;
  while (next < vma.end) {
    const addr = next;
    const table = leafTable(pgd, addr);
    next = spanEnd(pgd, table, addr, vma.end);
    if (!table || !isHuge(table) || !isPinnedPte(load<u64>(table))) continue;
    if (splitMapping(cmd, vma, addr) == REQUEST) return REQUEST;
  }
  return 0;
}

/**
 * Copies a pinned page for the child's vma. The child's entry; 0 when memory or its group's limit is
 * exhausted.
 */
export function copyPinned(copy: Vma, addr: u64, pfn: u32): u64 {
  const page = allocUserPage(copy.mm);
  if (!page) return 0;
  copyFrame(page, pfn);
  addNewAnon(copy, addr, folioOf(page), FOLIO_LRU);
  return makePte(page, readFlags(copy) | PTE_DIRTY | (copy.flags & VM_WRITE ? PTE_WRITE : 0));
}

/**
 * copyPinned() of the hugetlb page at addr, in the child's empty leaf table `to`. False when the pool is
 * empty.
 */
export function copyPinnedHugetlb(copy: Vma, addr: u64, to: usize, head: u32): bool {
  const page = takeHugetlb();
  if (!page) return false;
  copyLarge(page, head);
  mapHugetlb(copy, addr, to, page, writtenFlags(copy));
  return true;
}
