// Taking pages out of a file that is mapped: truncate, punch hole; and writing dirty pages back: msync.
//
// Each vma that maps a part of the range is told first (`clear`), then loses its entries. A truncation looks twice: once
// before the pages go, once after, for private copies that were made meanwhile. A hole leaves private copies alone.

import { EAGAIN, ENOMEM } from "../../uapi/errno";
import { FOLIO_ANON, FOLIO_DIRTY, FOLIO_LOCKED } from "../../abi/frame";
import { FILE_DISK } from "../../abi/object";
import { RESOURCE_MIGRATION } from "../../abi/pool";
import { REQUEST } from "../../abi/request";
import { MMU_NOTIFY_CLEAR, MMU_NOTIFY_PROTECTION_PAGE } from "../../uapi/event";
import { PAGE_SIZE } from "../../uapi/page";
import { PTE_DIRTY, PTE_SPECIAL, PTE_WRITE } from "../../uapi/pte";
import { VM_SHARED } from "../../uapi/vm";
import { exists } from "../base/object";
import { poolHigh } from "../base/pool";
import { pteFlags, ptePfn, ptePresent } from "../base/pte";
import { mustWait } from "../fault/common";
import { folioOf } from "../frame/folio";
import { Cmd } from "../operation/cmd";
import { notifyEnd, notifyStart } from "../operation/notify";
import { cacheLookup, dropCache, File, fileAddress, fileAt, fileCovering, zeroPart } from "../space/file";
import { migrationOf, pfnOf } from "../space/migration";
import { Mm, mmAt } from "../space/mm";
import { findVmaFrom, vmaAt } from "../space/vma";
import { zapPte, zapRange } from "../space/zap";
import { holeEnd, leafEnd, leafTable, slotOf, walk } from "../table/pagetable";

const LAST_INDEX: u64 = (<u64>1) << 36;

/** Zaps what [start, end) has of the file's own pages; private copies stay. */
function zapFilePages(mm: Mm, start: u64, end: u64): void {
  let addr = start;
  while (addr < end) {
    const table = leafTable(mm.pgd, addr);
    if (!table) {
      addr = holeEnd(mm.pgd, addr);
      continue;
    }
    const until = leafEnd(addr, end);
    for (; addr < until; addr += PAGE_SIZE) {
      const at = slotOf(table, addr);
      const pte = load<u64>(at);
      if (!ptePresent(pte) || pteFlags(pte) & PTE_SPECIAL || folioOf(ptePfn(pte)).has(FOLIO_ANON)) continue;
      store<u64>(at, 0);
      zapPte(mm, pte);
    }
  }
}

/** Has an open migration one of the pages [first, end)? Then nothing of them may change. */
function mustWaitFor(file: File, first: u64, end: u64): bool {
  for (let id: u32 = 1; id <= poolHigh(RESOURCE_MIGRATION); id++) {
    const m = migrationOf(id);
    for (let i: u32 = 0; exists(m) && i < m.npages; i++) {
      const pfn = pfnOf(m.source(i));
      const folio = folioOf(pfn);
      if (folio.has(FOLIO_ANON) || folio.mapping != file.id || folio.pgoff < first || folio.pgoff >= end)
        continue;
      mustWait(pfn);
      return true;
    }
  }
  return false;
}

/** unmap_mapping_range: pages [first, end) of the file, in every vma. cmd.link: the vma being told. 0 or REQUEST. */
function unmapPages(cmd: Cmd, file: File, first: u64, end: u64, copies: bool): i32 {
  let vma = cmd.link ? vmaAt(cmd.link) : fileCovering(vmaAt(file.first), first, end);
  while (exists(vma)) {
    cmd.link = <u32>vma.ptr;
    const from = fileAddress(vma, max(first, vma.pgoff));
    const to = fileAddress(vma, min(end, vma.pgoff + vma.pages));
    if (!notifyStart(cmd, vma.mmId, from, to, MMU_NOTIFY_CLEAR, 0)) return REQUEST;
    if (copies) zapRange(vma.mm, from, to);
    else zapFilePages(vma.mm, from, to);
    notifyEnd(cmd);
    vma = fileCovering(vmaAt(vma.fileNext), first, end);
  }
  cmd.link = 0;
  return 0;
}

/** OP_TRUNCATE: a: file; end: its new size in bytes. */
export function truncateStep(cmd: Cmd): i32 {
  const file = fileAt(cmd.a);
  const first = (cmd.end + 4095) >> 12;
  if (cmd.phase == 0) {
    const shrinks = cmd.end < file.bytes;
    if (shrinks && mustWaitFor(file, cmd.end >> 12, LAST_INDEX)) return -EAGAIN;
    file.bytes = cmd.end;
    if (!shrinks) return 0;
    cmd.phase = 1;
  }
  if (cmd.phase == 1) {
    if (unmapPages(cmd, file, first, LAST_INDEX, true) == REQUEST) return REQUEST;
    dropCache(file, first, LAST_INDEX);
    zeroEdges(file, cmd.end, first << 12);
    cmd.phase = 2;
  }
  return unmapPages(cmd, file, first, LAST_INDEX, true);
}

/** Punches a hole of [start, end) bytes, as a part of an operation that uses link. 0, REQUEST, or -EAGAIN: a page is locked. */
export function punchHole(cmd: Cmd, file: File, start: u64, end: u64): i32 {
  // A disk file has nothing beyond its end; shmem looks all the same.
  if (file.kind == FILE_DISK) {
    if (start >= file.bytes) return 0;
    end = min(end, file.length << 12);
  }
  if (!cmd.link && mustWaitFor(file, start >> 12, (end + 4095) >> 12)) return -EAGAIN;
  const first = (start + 4095) >> 12;
  const last = end >> 12;
  if (first < last) {
    if (unmapPages(cmd, file, first, last, false) == REQUEST) return REQUEST;
    dropCache(file, first, last);
  }
  zeroEdges(file, start, end);
  return 0;
}

/** The parts of pages at a hole's ends. */
function zeroEdges(file: File, start: u64, end: u64): void {
  const from = (<u32>start) & 4095;
  const to = (<u32>end) & 4095;
  if (start >> 12 == end >> 12) {
    if (from < to) zeroPart(file, start >> 12, from, to);
    return;
  }
  if (from) zeroPart(file, start >> 12, from, PAGE_SIZE);
  if (to) zeroPart(file, end >> 12, 0, to);
}

/** OP_PUNCH: a: file; [start, end) bytes. */
export function punchStep(cmd: Cmd): i32 {
  return punchHole(cmd, fileAt(cmd.a), cmd.start, cmd.end);
}

/**
 * Writes the dirty pages [unmapCursor, end) of a disk file back: each is clean afterwards, and the entries of shared
 * mappings are clean and write-protected, each vma that may have one being told (`prot_page`). 0, REQUEST or -EAGAIN.
 */
function writeBack(cmd: Cmd, file: File, end: u64): i32 {
  if (file.kind != FILE_DISK) return 0;
  const until = min(end, file.length);
  for (; cmd.unmapCursor < until; cmd.unmapCursor++) {
    if (!leafTable(file.root, cmd.unmapCursor << 12)) {
      cmd.unmapCursor = (holeEnd(file.root, cmd.unmapCursor << 12) >> 12) - 1;
      continue;
    }
    const pfn = cacheLookup(file, cmd.unmapCursor);
    if (!pfn || !folioOf(pfn).has(FOLIO_DIRTY)) continue;
    if (folioOf(pfn).has(FOLIO_LOCKED)) return mustWait(pfn);
    if (folioOf(pfn).mapcount && cleanPage(cmd, file, cmd.unmapCursor, pfn) == REQUEST) return REQUEST;
    folioOf(pfn).clear(FOLIO_DIRTY);
  }
  return 0;
}

/** page_mkclean. cmd.link: the vma being told. */
function cleanPage(cmd: Cmd, file: File, index: u64, pfn: u32): i32 {
  let vma = cmd.link ? vmaAt(cmd.link) : fileCovering(vmaAt(file.first), index, index + 1);
  while (exists(vma)) {
    if (vma.flags & VM_SHARED) {
      cmd.link = <u32>vma.ptr;
      const addr = fileAddress(vma, index);
      if (!notifyStart(cmd, vma.mmId, addr, addr + PAGE_SIZE, MMU_NOTIFY_PROTECTION_PAGE, 0)) return REQUEST;
      const slot = walk(vma.mm.pgd, addr);
      const pte: u64 = slot ? load<u64>(slot) : 0;
      if (ptePresent(pte) && ptePfn(pte) == pfn) store<u64>(slot, pte & ~(<u64>(PTE_WRITE | PTE_DIRTY)));
      notifyEnd(cmd);
    }
    vma = fileCovering(vmaAt(vma.fileNext), index, index + 1);
  }
  cmd.link = 0;
  return 0;
}

/** OP_MSYNC: [start, end), synchronously; cursor: how far; b: 1 once a hole was met; phase 1: a vma's part is begun. */
export function msyncStep(cmd: Cmd): i32 {
  const mm = mmAt(cmd.mm);
  while (cmd.cursor < cmd.end) {
    const vma = findVmaFrom(mm, cmd.cursor);
    if (!exists(vma)) return -ENOMEM;
    if (vma.start > cmd.cursor) {
      cmd.b = 1;
      cmd.cursor = vma.start;
      continue;
    }
    const end = min(vma.end, cmd.end);
    if (vma.file && vma.flags & VM_SHARED) {
      if (!cmd.phase) cmd.unmapCursor = vma.pgoff + ((cmd.cursor - vma.start) >> 12);
      cmd.phase = 1;
      const result = writeBack(cmd, fileAt(vma.file), vma.pgoff + ((end - vma.start) >> 12));
      if (result) return result;
      cmd.phase = 0;
    }
    cmd.cursor = end;
  }
  return cmd.b ? -ENOMEM : 0;
}
