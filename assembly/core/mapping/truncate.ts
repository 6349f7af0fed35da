// Taking pages out of a file that is mapped: truncate and punching holes.
//
// Each vma that maps a part of the range is told first (`clear`), then loses its entries. A truncation looks
// twice: once before the pages go, once after, for private copies that were made meanwhile. A hole leaves
// private copies alone.

import { FOLIO_ANON } from "../../abi/frame";
import { COMMAND_SIZE } from "../../abi/header";
import { FILE_DISK } from "../../abi/object";
import { RESOURCE_MIGRATION } from "../../abi/pool";
import { REQUEST } from "../../abi/request";
import { EAGAIN } from "../../uapi/errno";
import { MMU_NOTIFY_CLEAR } from "../../uapi/event";
import { PAGE_SIZE } from "../../uapi/page";
import { PTE_SPECIAL } from "../../uapi/pte";
import { exists } from "../base/object";
import { poolHigh } from "../base/pool";
import { pteFlags, ptePfn, ptePresent } from "../base/pte";
import { mustWait } from "../fault/common";
import { folioOf } from "../frame/folio";
import { Cmd } from "../operation/cmd";
import { firstFileVma, nextFileVma } from "../operation/tell";
import { dropCache, File, fileAddress, fileAt, zeroPart } from "../space/file";
import { migrationOf, pfnOf } from "../space/migration";
import { Mm } from "../space/mm";
import { vmaAt } from "../space/vma";
import { zapPte, zapRange } from "../space/zap";
import { leafTable, slotOf, slotsEnd, spanEnd } from "../table/pagetable";

/** A page offset after the last that a file can have. */
const LAST_INDEX: u64 = (<u64>1) << 36;

/** Clears the entries of [start, end) that map the file's own pages; private copies stay. */
function zapFilePages(mm: Mm, start: u64, end: u64): void {
  let next = start;
  while (next < end) {
    const addr = next;
    const table = leafTable(mm.pgd, addr);
    next = spanEnd(mm.pgd, table, addr, end);
    if (!table) continue;
    const last = slotsEnd(table, addr, next);
    for (let at = slotOf(table, addr); at < last; at += 8) {
      const pte = load<u64>(at);
      if (!ptePresent(pte) || pteFlags(pte) & PTE_SPECIAL || folioOf(ptePfn(pte)).has(FOLIO_ANON)) continue;
      store<u64>(at, 0);
      zapPte(mm, pte);
    }
  }
}

/** Has an open migration one of the file's pages [first, end)? Then none of them may change now. */
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

/** unmap_mapping_range: pages [first, end) of the file, in every vma. 0 or REQUEST. */
function unmapPages(cmd: Cmd, file: File, first: u64, end: u64, copies: bool): i32 {
  let told = firstFileVma(cmd, file, first, end, MMU_NOTIFY_CLEAR, true);
  for (; told; told = nextFileVma(cmd, first, end, MMU_NOTIFY_CLEAR, true)) {
    if (told == REQUEST) return REQUEST;
    const vma = vmaAt(<u32>told);
    const from = fileAddress(vma, max(first, vma.pgoff));
    const to = fileAddress(vma, min(end, vma.pgoff + vma.pages));
    if (copies) zapRange(vma.mm, from, to);
    else zapFilePages(vma.mm, from, to);
  }
  return 0;
}

/** OP_TRUNCATE: `end` is the new size in bytes. OP_PUNCH: bytes [start, end). */
@unmanaged
export class FileCmd extends Cmd {
  /** The file's id. */
  file: u32;
}

if (<i32>offsetof<FileCmd>() > COMMAND_SIZE) ERROR("FileCmd");

/** OP_TRUNCATE: sets the size; what lies beyond it leaves all mappings, then the cache. */
export function truncateStep(cmd: FileCmd): i32 {
  const file = fileAt(cmd.file);
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

/**
 * FALLOC_FL_PUNCH_HOLE of bytes [start, end): whole pages leave the mappings and the cache, the parts of
 * pages at both ends become zeros. 0, REQUEST, or -EAGAIN if an open migration has one of the pages.
 */
export function punchHole(cmd: Cmd, file: File, start: u64, end: u64): i32 {
  // A disk file has nothing after its end; shmem looks there all the same.
  if (file.kind == FILE_DISK) {
    if (start >= file.bytes) return 0;
    end = min(end, file.length << 12);
  }
  if (!cmd.link && mustWaitFor(file, start >> 12, (end + 4095) >> 12)) return -EAGAIN;
  const first = (start + 4095) >> 12;
  const last = end >> 12;
  // shmem_fallocate computes the last byte of the whole pages as an unsigned number: for a hole that ends
  // inside the first page it wraps around, and the mappings lose all pages from `first` on. The cache keeps
  // them.
  const unmapped = last || file.kind == FILE_DISK ? last : LAST_INDEX;
  if (first < unmapped && unmapPages(cmd, file, first, unmapped, false) == REQUEST) return REQUEST;
  if (first < last) dropCache(file, first, last);
  zeroEdges(file, start, end);
  return 0;
}

/** Zeroes the parts of pages at both ends of bytes [start, end). */
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

/** OP_PUNCH: punchHole() of the command's range. */
export function punchStep(cmd: FileCmd): i32 {
  return punchHole(cmd, fileAt(cmd.file), cmd.start, cmd.end);
}
