// Faults on mappings of files. A page that the page cache lacks is read into it first.
//
//   read             maps the page, and the pages around it that the cache has
//   write, shared    maps the page, which is written in place
//   write, private   maps a copy

import { FOLIO_DIRTY, FOLIO_LOCKED, FOLIO_LRU } from "../../abi/frame";
import { HDR_FAULT_AROUND } from "../../abi/header";
import { FILE_DISK, FILE_SHMEM } from "../../abi/object";
import { FAULT_KIND_COW, FAULT_KIND_FILE } from "../../uapi/event";
import { TABLE_ENTRIES } from "../../uapi/page";
import { PTE_DIRTY, PTE_PRESENT, PTE_WRITE, PTE_YOUNG } from "../../uapi/pte";
import { ACCESS_WRITE, VM_SHARED, VM_WRITE } from "../../uapi/vm";
import { header } from "../base/layout";
import { makePte, ptePfn } from "../base/pte";
import { folioOf } from "../frame/folio";
import { copyFrame } from "../frame/frame";
import { cacheGet, cacheLookup, File, fileAt } from "../space/file";
import { anonVmaPrepare } from "../space/anon-vma";
import { pgoffOf, protection, Vma } from "../space/vma";
import { addRss } from "../space/zap";
import { addNewAnon, allocUserPage, busError, done, mustWait, outOfMemory, writtenFlags } from "./common";

/**
 * The entry of a file's page. A shared mapping may write it at once, unless the file is to hear of the first
 * write to a clean page.
 */
function filePte(vma: Vma, file: File, pfn: u32, written: bool): u64 {
  const shared = (vma.flags & (VM_SHARED | VM_WRITE)) == (VM_SHARED | VM_WRITE);
  const write = shared && (written || file.kind == FILE_SHMEM);
  let flags = (<u32>PTE_PRESENT) | PTE_YOUNG | protection(vma) | (write ? PTE_WRITE : 0);
  if (written) flags |= PTE_DIRTY;
  return makePte(pfn, flags);
}

/** Maps a page of the cache at an empty entry; `written`: by a write. */
function mapFilePage(vma: Vma, file: File, slot: usize, pfn: u32, written: bool): void {
  const folio = folioOf(pfn);
  folio.refs++;
  folio.maps++;
  addRss(vma.mm, folio, 1);
  store<u64>(slot, filePte(vma, file, pfn, written));
}

/**
 * filemap_map_pages: maps the pages around addr that the cache has, within its leaf table, the vma and the
 * window.
 */
function faultAround(vma: Vma, file: File, addr: u64, slot: usize): void {
  const window = header(HDR_FAULT_AROUND);
  const at = (<u32>(addr >> 12)) & (TABLE_ENTRIES - 1);
  const before = <u32>min<u64>((addr - vma.start) >> 12, at);
  const after = <u32>min<u64>((vma.end - addr) >> 12, TABLE_ENTRIES - at);
  const first = max(at & ~(window - 1), at - before);
  const end = min(first + window, at + after);
  for (let i = first; i < end; i++) {
    const entry = slot + (<isize>i - <isize>at) * 8;
    if (load<u64>(entry)) continue;
    const index = pgoffOf(vma, addr) + i - at;
    const pfn: u32 = index < file.length ? cacheLookup(file, index) : 0;
    if (pfn && !folioOf(pfn).has(FOLIO_LOCKED)) mapFilePage(vma, file, entry, pfn, false);
  }
}

/** do_fault: a fault on an empty entry of a file's mapping. 0, VM_FAULT_* bits, or -EAGAIN. */
export function fileFault(vma: Vma, addr: u64, slot: usize, flags: u32): i32 {
  const file = fileAt(vma.file);
  const index = pgoffOf(vma, addr);
  const write = (flags & ACCESS_WRITE) != 0;
  if (!write && header(HDR_FAULT_AROUND) > 1) {
    faultAround(vma, file, addr, slot);
    if (load<u64>(slot)) return done(vma, addr, FAULT_KIND_FILE, ptePfn(load<u64>(slot)));
  }
  if (index >= file.length) return busError();
  const pfn = cacheGet(file, index, vma.mm.memcg);
  if (!pfn) return outOfMemory();
  if (folioOf(pfn).has(FOLIO_LOCKED)) return mustWait(pfn);
  if (write && !(vma.flags & VM_SHARED)) return privateCopyFault(vma, addr, slot, pfn);
  if (write && file.kind == FILE_DISK) folioOf(pfn).set(FOLIO_DIRTY);
  mapFilePage(vma, file, slot, pfn, write);
  return done(vma, addr, FAULT_KIND_FILE, pfn);
}

/** do_cow_fault: the first access to a page of a private mapping is a write. */
function privateCopyFault(vma: Vma, addr: u64, slot: usize, from: u32): i32 {
  if (!anonVmaPrepare(vma)) return outOfMemory();
  const pfn = allocUserPage(vma.mm);
  if (!pfn) return outOfMemory();
  copyFrame(pfn, from);
  addNewAnon(vma, addr, folioOf(pfn), FOLIO_LRU);
  store<u64>(slot, makePte(pfn, writtenFlags(vma)));
  return done(vma, addr, FAULT_KIND_COW, pfn);
}
