// verify(): the vmas of address spaces, their counters, and their device tables.

import { PAGE_SIZE } from "../../uapi/page";
import {
  PTE_KIND_DEVICE,
  PTE_KIND_DEVICE_EXCLUSIVE,
  PTE_KIND_MIGRATION,
  PTE_KIND_SWAP,
  PTE_WRITE,
} from "../../uapi/pte";
import { FOLIO_ANON, FOLIO_RESERVED, FOLIO_SHMEM } from "../../abi/frame";
import { RESOURCE_DEVICE_TABLE } from "../../abi/pool";
import {
  VERIFY_ANON_VMA,
  VERIFY_MIRROR_PAGE,
  VERIFY_MIRROR_WRITE,
  VERIFY_POOL,
  VERIFY_RSS,
  VERIFY_TABLE_META,
  VERIFY_VMA_ORDER,
  VERIFY_VMA_TREE,
} from "../../abi/verify";
import { exists } from "../base/object";
import { pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { folioOf } from "../frame/folio";
import { chainCheck } from "../space/anon-vma";
import { DeviceTable } from "../space/device-table";
import { fileAt } from "../space/file";
import { Mm, mmOf } from "../space/mm";
import { findVmaFrom, Vma, vmaAt } from "../space/vma";
import { leafTable, readPte, slotOf, slotsEnd, SPACE_END, spanEnd } from "../table/pagetable";
import { broken } from "./broken";
import { namesPage } from "./entries";

/** Checks the list of vmas, the treap, the links to anon_vmas and the lists of files. */
export function checkVmas(mm: Mm, id: u32): void {
  let before: u64 = 0;
  let n: u32 = 0;
  for (let vma = vmaAt(mm.vmaFirst); exists(vma); vma = vmaAt(vma.next)) {
    n++;
    if (vma.start < before || vma.start >= vma.end || vma.mmId != id) broken(VERIFY_VMA_ORDER, id, vma.start);
    mm.vmaCache = 0;
    if (findVmaFrom(mm, vma.start).ptr != vma.ptr) broken(VERIFY_VMA_TREE, id, vma.start);
    if (!chainCheck(vma) || !inFileList(vma)) broken(VERIFY_ANON_VMA, id, vma.start);
    before = vma.end;
  }
  if (n != mm.vmaCount) broken(VERIFY_VMA_TREE, id, n, mm.vmaCount);
}

/** Tells whether a vma that maps a file is in the list of the file, in order. */
function inFileList(vma: Vma): bool {
  if (!vma.file) return true;
  const prev = vmaAt(vma.filePrev);
  if (!exists(prev)) return fileAt(vma.file).first == <u32>vma.ptr;
  return prev.fileNext == <u32>vma.ptr && prev.pgoff <= vma.pgoff && prev.file == vma.file;
}

/** Counts the pages of an mm by kind and compares the numbers with the mm's counters. */
export function checkRss(mm: Mm, id: u32): void {
  let anon: u32 = 0;
  let shmem: u32 = 0;
  let file: u32 = 0;
  let swap: u32 = 0;
  for (let vma = vmaAt(mm.vmaFirst); exists(vma); vma = vmaAt(vma.next)) {
    let addr = nextEntry(mm.pgd, vma.start, vma.end);
    for (; addr < vma.end; addr = nextEntry(mm.pgd, addr + PAGE_SIZE, vma.end)) {
      const pte = readPte(mm.pgd, addr);
      if (!ptePresent(pte) && pteKind(pte) == PTE_KIND_SWAP) swap++;
      if (!namesPage(pte)) continue;
      const folio = folioOf(ptePfn(pte));
      if (folio.has(FOLIO_RESERVED)) continue;
      if (folio.has(FOLIO_ANON)) anon++;
      else if (folio.has(FOLIO_SHMEM)) shmem++;
      else file++;
    }
  }
  if (anon != mm.rssAnon) broken(VERIFY_RSS, id, 0, anon, mm.rssAnon);
  if (file != mm.rssFile) broken(VERIFY_RSS, id, 1, file, mm.rssFile);
  if (shmem != mm.rssShmem) broken(VERIFY_RSS, id, 2, shmem, mm.rssShmem);
  if (swap != mm.rssSwap) broken(VERIFY_RSS, id, 3, swap, mm.rssSwap);
}

/** Returns the first address of [from, end) that has an entry, or `end`. */
function nextEntry(root: usize, from: u64, end: u64): u64 {
  let next = from;
  while (next < end) {
    const addr = next;
    const table = leafTable(root, addr);
    next = spanEnd(root, table, addr, end);
    if (!table) continue;
    const first = slotOf(table, addr);
    const last = slotsEnd(table, addr, next);
    for (let at = first; at < last; at += 8) if (load<u64>(at)) return addr + ((<u64>(at - first)) << 9);
  }
  return end;
}

/** Checks a device's table: each entry names the page that the CPU's entry names, and permits no more. */
export function checkMirror(table: DeviceTable, migrating: bool): void {
  const mm = mmOf(table.mm);
  if (!exists(mm)) return broken(VERIFY_TABLE_META, table.mm, table.root);
  let found: u32 = 0;
  let addr = nextEntry(table.root, 0, SPACE_END);
  for (; addr < SPACE_END; addr = nextEntry(table.root, addr + PAGE_SIZE, SPACE_END)) {
    found++;
    const device = readPte(table.root, addr);
    const cpu = readPte(mm.pgd, addr);
    const pfn = ptePfn(device);
    const kind = pteKind(cpu);
    if (!ptePresent(cpu) && kind == PTE_KIND_MIGRATION && migrating) continue;
    const same =
      ptePfn(cpu) == pfn && (ptePresent(cpu) || kind == PTE_KIND_DEVICE || kind == PTE_KIND_DEVICE_EXCLUSIVE);
    if (!same) broken(VERIFY_MIRROR_PAGE, table.mm, addr, pfn, ptePfn(cpu));
    else if (pteFlags(device) & PTE_WRITE && !(pteFlags(cpu) & PTE_WRITE))
      broken(VERIFY_MIRROR_WRITE, table.mm, addr, pfn);
  }
  if (found != table.entries) broken(VERIFY_POOL, table.mm, RESOURCE_DEVICE_TABLE, found, table.entries);
}
