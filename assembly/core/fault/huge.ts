// Faults that map a huge page: 2 MiB at the first access, where the mapping was advised so (MADV_HUGEPAGE)
// and a block of memory is free.
//
//   leaf table             read                      write
//   none                   maps the huge zero page   maps a huge page
//   huge zero page         –                         splits it; then as for the small zero page
//   huge, write-protected  –                         reuses it, or splits it; then one page is copied

import { FOLIO_ANON_EXCLUSIVE, FOLIO_LRU } from "../../abi/frame";
import { REQUEST } from "../../abi/request";
import {
  FAULT_KIND_ANON,
  FAULT_KIND_COW,
  FAULT_KIND_REUSE,
  FAULT_KIND_ZERO,
  MMU_NOTIFY_CLEAR,
} from "../../uapi/event";
import { PMD_SIZE } from "../../uapi/page";
import { PTE_DIRTY, PTE_PRESENT, PTE_SPECIAL, PTE_WRITE, PTE_YOUNG } from "../../uapi/pte";
import { ACCESS_WRITE, VM_UFFD_MISSING, VM_WRITE } from "../../uapi/vm";
import { LARGE_PAGES } from "../base/layout";
import { ptePfn } from "../base/pte";
import { hugeZeroBecomesHuge } from "../base/rules";
import { folioOf } from "../frame/folio";
import { chargeLarge, largeRefs, zeroLarge } from "../frame/large";
import { memcgCharge, memcgUncharge } from "../frame/memcg";
import { allocLarge } from "../frame/page-alloc";
import { Cmd } from "../operation/cmd";
import { notifyEnd, notifyStart } from "../operation/notify";
import { splitMapping } from "../operation/split";
import { Mm } from "../space/mm";
import { anonVmaPrepare } from "../space/anon-vma";
import { isAnonymous, protection, Vma } from "../space/vma";
import { fillLeaf, HUGE_MASK, hugeZeroGet, hugeZeroPut, isHugeZero } from "../table/huge";
import { dropLeaf, leafTable, readPte, walkAlloc } from "../table/pagetable";
import { PMD_ORDER } from "../../abi/header";
import { orderEnabled } from "./sized";
import { addNewAnonLarge, done, makeExclusive, outOfMemory, writtenFlags } from "./common";

/** An answer of hugeFault() and hugeWriteFault(): the caller serves the fault with a single page. */
export const FALLBACK: i32 = -1;

/**
 * May a huge page cover addr: is the memory anonymous and advised so, and do its 2 MiB lie inside the vma?
 */
function suitsHuge(vma: Vma, addr: u64): bool {
  if (!orderEnabled(vma, PMD_ORDER) || !isAnonymous(vma) || vma.flags & VM_UFFD_MISSING) return false;
  return hugeFits(vma, addr);
}

/** Does the vma cover the whole 2 MiB around addr? */
export function hugeFits(vma: Vma, addr: u64): bool {
  const from = addr & ~HUGE_MASK;
  return from >= vma.start && from + PMD_SIZE <= vma.end;
}

/**
 * Allocates a large folio charged to the mm's group. Its first pfn; 0 when no block is free or the group's
 * limit is reached.
 */
export function allocHuge(mm: Mm): u32 {
  if (!memcgCharge(mm.memcg, LARGE_PAGES)) return 0;
  const head = allocLarge(0);
  if (!head) {
    memcgUncharge(mm.memcg, LARGE_PAGES);
    return 0;
  }
  chargeLarge(head, mm.memcg);
  return head;
}

/** Maps a large folio, new and charged, over the 2 MiB at `from`, whose leaf table `table` is empty. */
export function mapHuge(vma: Vma, from: u64, table: usize, head: u32): void {
  addNewAnonLarge(vma, from, head, FOLIO_LRU);
  fillLeaf(table, head, writtenFlags(vma));
}

/** do_huge_pmd_anonymous_page: a fault where no leaf table covers addr. 0, VM_FAULT_OOM or FALLBACK. */
export function hugeFault(vma: Vma, addr: u64, flags: u32): i32 {
  if (!suitsHuge(vma, addr)) return FALLBACK;
  if (!anonVmaPrepare(vma)) return outOfMemory();
  const from = addr & ~HUGE_MASK;
  const part = <u32>((addr - from) >> 12);
  const write = (flags & ACCESS_WRITE) != 0;
  const slot = walkAlloc(vma.mm.pgd, vma.mmId, from);
  if (!slot) return outOfMemory();
  const head = write ? allocHuge(vma.mm) : hugeZeroGet();
  if (!head) {
    dropLeaf(vma.mm.pgd, from);
    return FALLBACK;
  }
  if (!write) {
    fillLeaf(slot, head, (<u32>PTE_PRESENT) | PTE_YOUNG | PTE_SPECIAL | protection(vma));
    return done(vma, addr, FAULT_KIND_ZERO, head + part);
  }
  zeroLarge(head);
  mapHuge(vma, from, slot, head);
  return done(vma, addr, FAULT_KIND_ANON, head + part);
}

/**
 * do_huge_pmd_wp_page: a write to a write-protected huge mapping. 0, REQUEST, or FALLBACK when the mapping is
 * split.
 */
export function hugeWriteFault(cmd: Cmd, vma: Vma, addr: u64): i32 {
  const table = leafTable(vma.mm.pgd, addr);
  const head = ptePfn(load<u64>(table));
  if (isHugeZero(table) && hugeZeroBecomesHuge()) {
    const result = replaceHugeZero(cmd, vma, addr);
    if (result != FALLBACK) return result;
  }
  if (!isHugeZero(table) && (folioOf(head).has(FOLIO_ANON_EXCLUSIVE) || largeRefs(head) == LARGE_PAGES)) {
    reuseHuge(vma, table, head);
    return done(vma, addr, FAULT_KIND_REUSE, ptePfn(readPte(vma.mm.pgd, addr)));
  }
  return splitMapping(cmd, vma, addr) == REQUEST ? REQUEST : FALLBACK;
}

/**
 * do_huge_zero_wp_pmd: a new huge page takes the place of the huge zero page at addr. 0, REQUEST, or FALLBACK
 * without a free block.
 */
function replaceHugeZero(cmd: Cmd, vma: Vma, addr: u64): i32 {
  const from = addr & ~HUGE_MASK;
  if (!anonVmaPrepare(vma)) return outOfMemory();
  if (!cmd.newPage) cmd.newPage = allocHuge(vma.mm);
  if (!cmd.newPage) return FALLBACK;
  if (!notifyStart(cmd, vma.mmId, from, from + PMD_SIZE, MMU_NOTIFY_CLEAR, 0)) return REQUEST;
  const head = cmd.newPage;
  cmd.newPage = 0;
  zeroLarge(head);
  hugeZeroPut();
  mapHuge(vma, from, leafTable(vma.mm.pgd, from), head);
  notifyEnd(cmd);
  return done(vma, addr, FAULT_KIND_COW, head + <u32>((addr - from) >> 12));
}

/** unshareFault() of a huge mapping. 0, REQUEST, or FALLBACK when the mapping is split. */
export function hugeUnshareFault(cmd: Cmd, vma: Vma, addr: u64): i32 {
  const table = leafTable(vma.mm.pgd, addr);
  const head = ptePfn(load<u64>(table));
  if (isHugeZero(table) || largeRefs(head) != LARGE_PAGES)
    return splitMapping(cmd, vma, addr) == REQUEST ? REQUEST : FALLBACK;
  makeExclusiveLarge(vma, head);
  return done(vma, addr, FAULT_KIND_REUSE, ptePfn(readPte(vma.mm.pgd, addr)));
}

/** Marks the parts of a large folio that only this mapping refers to as exclusive. */
export function makeExclusiveLarge(vma: Vma, head: u32): void {
  for (let pfn = head; pfn < head + LARGE_PAGES; pfn++) makeExclusive(folioOf(pfn), vma.anonVma);
}

/** wp_page_reuse of a whole huge page: this mm alone has it, so that it becomes writable in place. */
export function reuseHuge(vma: Vma, table: usize, head: u32): void {
  const write: u32 = vma.flags & VM_WRITE ? PTE_WRITE : 0;
  for (let i: u32 = 0; i < LARGE_PAGES; i++) {
    const folio = folioOf(head + i);
    folio.set(FOLIO_ANON_EXCLUSIVE);
    folio.mapping = <u16>vma.anonVma;
    store<u64>(table + i * 8, load<u64>(table + i * 8) | PTE_YOUNG | PTE_DIRTY | write);
  }
}
