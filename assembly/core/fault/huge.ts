// Huge pages: 2 MiB at a first touch, where the mapping was advised so (MADV_HUGEPAGE) and a block of memory is free.
//
//   entry               read                    write
//   no table            the huge zero page      a huge page
//   huge zero page      –                       split; then as for the small zero page
//   huge page, r/o      –                       reuse if it is ours alone, else split; then a copy of one page

import { REQUEST } from "../../abi/request";
import { FAULT_KIND_ANON, FAULT_KIND_REUSE, FAULT_KIND_ZERO } from "../../uapi/event";
import { PMD_SIZE } from "../../uapi/page";
import { PTE_DIRTY, PTE_PRESENT, PTE_SPECIAL, PTE_WRITE, PTE_YOUNG } from "../../uapi/pte";
import { FOLIO_ANON_EXCLUSIVE, FOLIO_LRU } from "../../abi/struct";
import { ACCESS_WRITE, VM_HUGEPAGE, VM_UFFD_MISSING, VM_WRITE } from "../../uapi/vm";
import { LARGE_PAGES } from "../base/layout";
import { ptePfn } from "../base/pte";
import { folioOf } from "../frame/folio";
import { zeroFrame } from "../frame/frame";
import { memcgCharge, memcgUncharge } from "../frame/memcg";
import { allocLarge } from "../frame/page-alloc";
import { Cmd } from "../operation/cmd";
import { splitMapping } from "../operation/split";
import { Mm } from "../space/mm";
import { anonVmaPrepare } from "../space/anon-vma";
import { isAnonymous, protection, Vma } from "../space/vma";
import { fillLeaf, HUGE_MASK, hugeZeroGet, isHugeZero, largeRefs } from "../table/huge";
import { dropLeaf, leafTable, readPte, walkAlloc } from "../table/pagetable";
import { addNewAnon, done, outOfMemory, writtenFlags } from "./common";

/** hugeFault's answer: no huge page here. */
export const FALLBACK: i32 = -1;

/** May the 2 MiB around addr be a huge page: of anonymous memory that was advised so, wholly inside the vma? */
function suitsHuge(vma: Vma, addr: u64): bool {
  if (!(vma.flags & VM_HUGEPAGE) || !isAnonymous(vma) || vma.flags & VM_UFFD_MISSING) return false;
  return hugeFits(vma, addr);
}

/** Does the vma cover the whole 2 MiB around addr? */
export function hugeFits(vma: Vma, addr: u64): bool {
  const from = addr & ~HUGE_MASK;
  return from >= vma.start && from + PMD_SIZE <= vma.end;
}

/** A large folio charged to the mm's group; 0 where there is none, or the group's limit does not allow it. */
export function allocHuge(mm: Mm): u32 {
  if (!memcgCharge(mm.memcg, LARGE_PAGES)) return 0;
  const head = allocLarge(0);
  if (!head) {
    memcgUncharge(mm.memcg, LARGE_PAGES);
    return 0;
  }
  for (let i: u32 = 0; i < LARGE_PAGES; i++) folioOf(head + i).memcg = mm.memcg;
  return head;
}

/** Maps a large folio, new and charged, over the 2 MiB at `from`, in an empty leaf table. */
export function mapHuge(vma: Vma, from: u64, table: usize, head: u32): void {
  for (let i: u32 = 0; i < LARGE_PAGES; i++)
    addNewAnon(vma, from + ((<u64>i) << 12), folioOf(head + i), FOLIO_LRU);
  fillLeaf(table, head, writtenFlags(vma));
}

/** do_huge_pmd_anonymous_page: no leaf table covers addr yet. FALLBACK where one page must do. */
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
  for (let i: u32 = 0; i < LARGE_PAGES; i++) zeroFrame(head + i);
  mapHuge(vma, from, slot, head);
  return done(vma, addr, FAULT_KIND_ANON, head + part);
}

/** do_huge_pmd_wp_page: a write to a write-protected huge mapping. FALLBACK when it has been split; 0 or REQUEST. */
export function hugeWriteFault(cmd: Cmd, vma: Vma, addr: u64): i32 {
  const table = leafTable(vma.mm.pgd, addr);
  const head = ptePfn(load<u64>(table));
  if (!isHugeZero(table) && (folioOf(head).has(FOLIO_ANON_EXCLUSIVE) || largeRefs(head) == LARGE_PAGES)) {
    reuseHuge(vma, table, head);
    return done(vma, addr, FAULT_KIND_REUSE, ptePfn(readPte(vma.mm.pgd, addr)));
  }
  return splitMapping(cmd, vma, addr) == REQUEST ? REQUEST : FALLBACK;
}

/** A huge page that is ours alone becomes writable. */
export function reuseHuge(vma: Vma, table: usize, head: u32): void {
  const write: u32 = vma.flags & VM_WRITE ? PTE_WRITE : 0;
  for (let i: u32 = 0; i < LARGE_PAGES; i++) {
    const folio = folioOf(head + i);
    folio.set(FOLIO_ANON_EXCLUSIVE);
    folio.mapping = <u16>vma.anonVma;
    store<u64>(table + i * 8, load<u64>(table + i * 8) | PTE_YOUNG | PTE_DIRTY | write);
  }
}
