// Faults on hugetlb mappings: 2 MiB at a time, from the pool, never split.

import { REQUEST } from "../../abi/request";
import {
  FAULT_KIND_ANON,
  FAULT_KIND_COW,
  FAULT_KIND_REUSE,
  FAULT_KIND_SPURIOUS,
  MMU_NOTIFY_CLEAR,
} from "../../uapi/event";
import { PMD_SIZE } from "../../uapi/page";
import { PTE_PRESENT, PTE_WRITE, PTE_YOUNG } from "../../uapi/pte";
import { HDR_FAULT_CODE, HDR_HUGETLB_FREE, TABLE_MM } from "../../abi/struct";
import { ACCESS_WRITE, FAULT_SIGBUS, VM_FAULT_SIGBUS, VM_HUGETLB } from "../../uapi/vm";
import { header, LARGE_PAGES, setHeader } from "../base/layout";
import { exists } from "../base/object";
import { poolHigh } from "../base/pool";
import { ptePfn } from "../base/pte";
import { folioOf } from "../frame/folio";
import { copyFrame, zeroFrame } from "../frame/frame";
import { takeHugetlb } from "../frame/page-alloc";
import { Cmd } from "../operation/cmd";
import { notifyEnd, notifyStart } from "../operation/notify";
import { mmOf } from "../space/mm";
import { anonVmaPrepare } from "../space/anon-vma";
import { protection, Vma, vmaAt } from "../space/vma";
import { unmapPage } from "../space/zap";
import { fillLeaf, HUGE_MASK, largeMaps } from "../table/huge";
import { dropLeaf, leafTable, walkAlloc } from "../table/pagetable";
import { addNewAnon, done, writtenFlags } from "./common";
import { reuseHuge } from "./huge";

/** hugetlb_fault: no entry yet, or (write) one that may not be written. 0, VM_FAULT_* bits or REQUEST. */
export function hugetlbFault(cmd: Cmd, vma: Vma, addr: u64, flags: u32): i32 {
  const from = addr & ~HUGE_MASK;
  const part = <u32>((addr - from) >> 12);
  const table = leafTable(vma.mm.pgd, from);
  if (!table) {
    const head = mapNew(vma, from, flags);
    return head ? done(vma, addr, FAULT_KIND_ANON, head + part) : noHugePage();
  }
  const head = ptePfn(load<u64>(table));
  if (!(flags & ACCESS_WRITE) || load<u32>(table) & PTE_WRITE)
    return done(vma, addr, FAULT_KIND_SPURIOUS, head + part);
  if (largeMaps(head) == LARGE_PAGES) {
    reuseHuge(vma, table, head);
    return done(vma, addr, FAULT_KIND_REUSE, head + part);
  }
  // Without a page for the copy nobody is told.
  if (!cmd.windowMm && !header(HDR_HUGETLB_FREE)) return noHugePage();
  if (!notifyStart(cmd, vma.mmId, from, from + PMD_SIZE, MMU_NOTIFY_CLEAR, 0)) return REQUEST;
  const copy = anonVmaPrepare(vma) ? takeHugetlb() : 0;
  if (copy) replace(vma, from, table, head, copy);
  notifyEnd(cmd);
  return copy ? done(vma, addr, FAULT_KIND_COW, copy + part) : noHugePage();
}

/** hugetlb_no_page: a page of zeros, writable at once if it is written. Its first pfn, or 0. */
function mapNew(vma: Vma, from: u64, flags: u32): u32 {
  if (!anonVmaPrepare(vma)) return 0;
  const table = walkAlloc(vma.mm.pgd, vma.mmId, from);
  if (!table) return 0;
  const head = takeHugetlb();
  if (!head) {
    dropLeaf(vma.mm.pgd, from);
    return 0;
  }
  for (let i: u32 = 0; i < LARGE_PAGES; i++) zeroFrame(head + i);
  map(
    vma,
    from,
    table,
    head,
    flags & ACCESS_WRITE ? writtenFlags(vma) : (<u32>PTE_PRESENT) | PTE_YOUNG | protection(vma),
  );
  return head;
}

function map(vma: Vma, from: u64, table: usize, head: u32, flags: u32): void {
  for (let i: u32 = 0; i < LARGE_PAGES; i++) {
    addNewAnon(vma, from + ((<u64>i) << 12), folioOf(head + i), 0);
    vma.mm.rssAnon--;
  }
  fillLeaf(table, head, flags);
}

/** hugetlb_wp: the mapping gets a copy of its own. */
function replace(vma: Vma, from: u64, table: usize, head: u32, copy: u32): void {
  for (let i: u32 = 0; i < LARGE_PAGES; i++) copyFrame(copy + i, head + i);
  map(vma, from, table, copy, writtenFlags(vma));
  for (let i: u32 = 0; i < LARGE_PAGES; i++) unmapPage(head + i, folioOf(head + i));
}

/** The pool is empty: SIGBUS, as Linux has it. */
function noHugePage(): i32 {
  setHeader(HDR_FAULT_CODE, FAULT_SIGBUS);
  return VM_FAULT_SIGBUS;
}

/** Huge pages that mappings have been promised and not touched yet. */
export function hugetlbReserved(): u32 {
  let n: u32 = 0;
  for (let id: u32 = 1; id <= poolHigh(TABLE_MM); id++) {
    const mm = mmOf(id);
    if (!exists(mm)) continue;
    for (let vma = vmaAt(mm.vmaFirst); exists(vma); vma = vmaAt(vma.next)) {
      if (!(vma.flags & VM_HUGETLB)) continue;
      for (let addr = vma.start; addr < vma.end; addr += PMD_SIZE) if (!leafTable(mm.pgd, addr)) n++;
    }
  }
  return n;
}
