// Faults on hugetlb mappings. They map 2 MiB at a time, from the pool of hugetlb pages, and are never split.

import { FOLIO_ANON_EXCLUSIVE } from "../../abi/frame";
import { RESOURCE_MM } from "../../abi/pool";
import { HDR_HUGETLB_FREE } from "../../abi/header";
import { REQUEST } from "../../abi/request";
import {
  FAULT_KIND_ANON,
  FAULT_KIND_COW,
  FAULT_KIND_REUSE,
  FAULT_KIND_SPURIOUS,
  MMU_NOTIFY_CLEAR,
} from "../../uapi/event";
import { PMD_SIZE } from "../../uapi/page";
import { PTE_WRITE } from "../../uapi/pte";
import { ACCESS_PIN, ACCESS_WRITE, VM_HUGETLB } from "../../uapi/vm";
import { header, LARGE_PAGES } from "../base/layout";
import { exists } from "../base/object";
import { poolHigh } from "../base/pool";
import { ptePfn } from "../base/pte";
import { folioOf } from "../frame/folio";
import { copyLarge, largeMaps, zeroLarge } from "../frame/large";
import { takeHugetlb } from "../frame/page-alloc";
import { Cmd } from "../operation/cmd";
import { notifyEnd, notifyStart } from "../operation/notify";
import { mmOf } from "../space/mm";
import { anonVmaPrepare } from "../space/anon-vma";
import { Vma, vmaAt } from "../space/vma";
import { unmapLarge } from "../space/zap";
import { fillLeaf, HUGE_MASK } from "../table/huge";
import { dropLeaf, leafTable, walkAlloc } from "../table/pagetable";
import { addNewAnonLarge, busError, done, readFlags, writtenFlags } from "./common";
import { makeExclusiveLarge, reuseHuge } from "./huge";

/**
 * hugetlb_fault: a fault on an empty entry, a write to a write-protected one, or a pin for long (ACCESS_PIN
 * without a write) of a page that is not exclusive. 0, VM_FAULT_SIGBUS or REQUEST.
 */
export function hugetlbFault(cmd: Cmd, vma: Vma, addr: u64, flags: u32): i32 {
  const from = addr & ~HUGE_MASK;
  const part = <u32>((addr - from) >> 12);
  const table = leafTable(vma.mm.pgd, from);
  if (!table) {
    const head = mapNew(vma, from, flags);
    return head ? done(vma, addr, FAULT_KIND_ANON, head + part) : busError();
  }
  const head = ptePfn(load<u64>(table));
  const unshare =
    (flags & (ACCESS_WRITE | ACCESS_PIN)) == ACCESS_PIN && !folioOf(head).has(FOLIO_ANON_EXCLUSIVE);
  if (!unshare && (!(flags & ACCESS_WRITE) || load<u32>(table) & PTE_WRITE))
    return done(vma, addr, FAULT_KIND_SPURIOUS, head + part);
  if (largeMaps(head) == LARGE_PAGES) {
    if (unshare) makeExclusiveLarge(vma, head);
    else reuseHuge(vma, table, head);
    return done(vma, addr, FAULT_KIND_REUSE, head + part);
  }
  // If there is no page for the copy, subscribers hear nothing.
  if (!cmd.windowMm && !header(HDR_HUGETLB_FREE)) return busError();
  if (!notifyStart(cmd, vma.mmId, from, from + PMD_SIZE, MMU_NOTIFY_CLEAR, 0)) return REQUEST;
  const copy = anonVmaPrepare(vma) ? takeHugetlb() : 0;
  if (copy) replace(vma, from, table, head, copy, unshare ? readFlags(vma) : writtenFlags(vma));
  notifyEnd(cmd);
  return copy ? done(vma, addr, FAULT_KIND_COW, copy + part) : busError();
}

/**
 * hugetlb_no_page: maps a page of zeros, writable if this is a write. Its first pfn, or 0 when something ran
 * out.
 */
function mapNew(vma: Vma, from: u64, flags: u32): u32 {
  if (!anonVmaPrepare(vma)) return 0;
  const table = walkAlloc(vma.mm.pgd, vma.mmId, from);
  if (!table) return 0;
  const head = takeHugetlb();
  if (!head) {
    dropLeaf(vma.mm.pgd, from);
    return 0;
  }
  zeroLarge(head);
  mapHugetlb(vma, from, table, head, flags & ACCESS_WRITE ? writtenFlags(vma) : readFlags(vma));
  return head;
}

/** Maps a new hugetlb page at `from`. The counters of resident pages leave it out. */
export function mapHugetlb(vma: Vma, from: u64, table: usize, head: u32, flags: u32): void {
  addNewAnonLarge(vma, from, head, 0);
  vma.mm.rssAnon -= LARGE_PAGES;
  fillLeaf(table, head, flags);
}

/** hugetlb_wp: the mapping gets the page `copy`, with the contents of `head`. */
function replace(vma: Vma, from: u64, table: usize, head: u32, copy: u32, flags: u32): void {
  copyLarge(copy, head);
  mapHugetlb(vma, from, table, copy, flags);
  unmapLarge(head);
}

/** Counts the huge pages that mmap promised to mappings and that no access has taken from the pool yet. */
export function hugetlbReserved(): u32 {
  let n: u32 = 0;
  for (let id: u32 = 1; id <= poolHigh(RESOURCE_MM); id++) {
    const mm = mmOf(id);
    if (!exists(mm)) continue;
    for (let vma = vmaAt(mm.vmaFirst); exists(vma); vma = vmaAt(vma.next)) {
      if (!(vma.flags & VM_HUGETLB)) continue;
      for (let addr = vma.start; addr < vma.end; addr += PMD_SIZE) if (!leafTable(mm.pgd, addr)) n++;
    }
  }
  return n;
}
