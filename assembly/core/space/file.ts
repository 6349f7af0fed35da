// Files in memory. A file's page cache is the file: a table like a page table, indexed by page offset. Disk files know
// which of their pages are dirty; shmem (tmpfs, shared anonymous memory) does not care. The vmas that map a file form a
// list sorted by page offset: the reverse map of its pages.

import { EINVAL, ENOMEM } from "../../uapi/errno";
import { PTE_PRESENT } from "../../uapi/pte";
import { FOLIO_DIRTY, FOLIO_FILE, FOLIO_LRU, FOLIO_SHMEM } from "../../abi/frame";
import { FILE_BYTES, FILE_DISK, FILE_KIND, FILE_PAGES, FILE_SHMEM } from "../../abi/object";
import { RESOURCE_FILE } from "../../abi/pool";
import { FILE_SIZE } from "../base/layout";
import { exists, none } from "../base/object";
import { poolAlloc, poolFree, poolHigh, poolId, poolObject } from "../base/pool";
import { makePte, ptePfn } from "../base/pte";
import { folioOf, frameOf } from "../frame/folio";
import { zeroFrame } from "../frame/frame";
import { memcgCharge, memcgUncharge } from "../frame/memcg";
import { allocFrame, putPage } from "../frame/page-alloc";
import {
  addressOf,
  allocTable,
  FILE_OWNER,
  freeAllTables,
  leafTable,
  readPte,
  slotOf,
  slotsEnd,
  spanEnd,
  walk,
  walkAlloc,
} from "../table/pagetable";
import { Vma, vmaAt } from "./vma";


@unmanaged
export class File {
  /** 0: not in use */
  kind: u32;
  root: u32;
  bytes: u64;
  /** Pages in the cache. */
  pages: u32;
  /** The caller's hold, and one for each vma. */
  holds: u32;
  first: u32;
  last: u32;
  unused0: u64;
  unused1: u64;


  @inline get id(): u32 {
    return poolId(RESOURCE_FILE, changetype<usize>(this));
  }
  /** Size in pages, the last one perhaps in part. */
  @inline get length(): u64 {
    return (this.bytes + 4095) >> 12;
  }
}

if (offsetof<File>() != FILE_SIZE) ERROR("FILE_SIZE");
if (offsetof<File>("kind") != FILE_KIND) ERROR("FILE_KIND");
if (offsetof<File>("bytes") != FILE_BYTES) ERROR("FILE_BYTES");
if (offsetof<File>("pages") != FILE_PAGES) ERROR("FILE_PAGES");


@inline
export function fileAt(id: u32): File {
  return changetype<File>(poolObject(RESOURCE_FILE, id));
}

/** The file of an id, or null. */
export function fileOf(id: u32): File {
  if (!id || id > poolHigh(RESOURCE_FILE)) return none<File>();
  const file = fileAt(id);
  return file.root && file.holds ? file : none<File>();
}

/** An empty file that the caller holds; null when a table is full. */
export function fileAlloc(kind: u32, bytes: u64): File {
  const file = changetype<File>(poolAlloc(RESOURCE_FILE));
  if (!exists(file)) return file;
  const root = allocTable(FILE_OWNER | file.id, 3, 0);
  if (!root) {
    poolFree(RESOURCE_FILE, changetype<usize>(file));
    return none<File>();
  }
  file.kind = kind;
  file.root = <u32>root;
  file.bytes = bytes;
  file.holds = 1;
  return file;
}

export function fileCreate(kind: u32, bytes: f64): i32 {
  if ((kind != FILE_DISK && kind != FILE_SHMEM) || !(bytes >= 0 && bytes < 281474976710656)) return -EINVAL;
  const file = fileAlloc(kind, addressOf(bytes));
  return exists(file) ? file.id : -ENOMEM;
}

/** Drops a hold; the last one ends the file. Nothing maps it then. */
export function fileRelease(file: File): void {
  if (--file.holds) return;
  dropCache(file, 0, (<u64>1) << 36);
  freeAllTables(file.root);
  file.root = 0;
  file.kind = 0;
  poolFree(RESOURCE_FILE, changetype<usize>(file));
}

export function fileClose(id: u32): i32 {
  const file = fileOf(id);
  if (!exists(file)) return -EINVAL;
  fileRelease(file);
  return 0;
}

/** Takes the pages [first, end) out of the cache. They are free unless somebody holds them otherwise. */
export function dropCache(file: File, first: u64, end: u64): void {
  const last = end << 12;
  let next = first << 12;
  while (next < last && file.pages) {
    const at = next;
    const table = leafTable(file.root, at);
    next = spanEnd(file.root, table, at, last);
    if (!table) continue;
    const slots = slotsEnd(table, at, next);
    for (let slot = slotOf(table, at); slot < slots; slot += 8) {
      const entry = load<u64>(slot);
      if (!entry) continue;
      store<u64>(slot, 0);
      file.pages--;
      const folio = folioOf(ptePfn(entry));
      folio.clear(FOLIO_DIRTY);
      putPage(ptePfn(entry));
    }
  }
}

/** The page of an offset if it is in the cache, else 0. */
@inline
export function cacheLookup(file: File, index: u64): u32 {
  return ptePfn(readPte(file.root, index << 12));
}

/** The page of an offset, made (zeroed, charged to the group) if it is not there; 0 when memory ran out. */
export function cacheGet(file: File, index: u64, memcg: u32): u32 {
  const found = cacheLookup(file, index);
  if (found) return found;
  const slot = walkAlloc(file.root, FILE_OWNER | file.id, index << 12);
  if (!slot || !memcgCharge(memcg)) return 0;
  const pfn = allocFrame(0);
  if (!pfn) {
    memcgUncharge(memcg);
    return 0;
  }
  zeroFrame(pfn);
  const folio = folioOf(pfn);
  folio.memcg = memcg;
  folio.pgoff = index;
  folio.mapping = <u16>file.id;
  folio.set((file.kind == FILE_SHMEM ? FOLIO_SHMEM : FOLIO_FILE) | FOLIO_LRU);
  store<u64>(slot, makePte(pfn, <u32>PTE_PRESENT));
  file.pages++;
  return pfn;
}

/** Another page takes the place of one in the cache, with the cache's reference. */
export function cacheReplace(file: File, index: u64, from: u32, to: u32): void {
  store<u64>(walk(file.root, index << 12), makePte(to, <u32>PTE_PRESENT));
  folioOf(to).refs++;
  folioOf(from).refs--;
}

/** Zeroes [from, to) of the page of an offset, where the cache has it. Within one page. */
export function zeroPart(file: File, index: u64, from: u32, to: u32): void {
  const pfn = cacheLookup(file, index);
  if (pfn && frameOf(0)) memory.fill(frameOf(pfn) + from, 0, to - from);
}

// ── The vmas that map a file ──────────────────────────────────────────────────────────────────────────────────

/** A vma joins its file's list, behind those with the same page offset, and holds the file. */
export function fileAttach(vma: Vma): void {
  if (!vma.file) return;
  fileAt(vma.file).holds++;
  fileInsert(vma);
}

/** A vma leaves its file, which may end with it. */
export function fileDetach(vma: Vma): void {
  if (!vma.file) return;
  fileRemove(vma);
  fileRelease(fileAt(vma.file));
}

/** Puts a vma where its page offset belongs. */
export function fileInsert(vma: Vma): void {
  if (!vma.file) return;
  const file = fileAt(vma.file);
  let after = vmaAt(file.last);
  while (exists(after) && after.pgoff > vma.pgoff) after = vmaAt(after.filePrev);
  vma.filePrev = <u32>after.ptr;
  vma.fileNext = exists(after) ? after.fileNext : file.first;
  if (exists(after)) after.fileNext = <u32>vma.ptr;
  else file.first = <u32>vma.ptr;
  if (vma.fileNext) vmaAt(vma.fileNext).filePrev = <u32>vma.ptr;
  else file.last = <u32>vma.ptr;
}

export function fileRemove(vma: Vma): void {
  if (!vma.file) return;
  const file = fileAt(vma.file);
  if (vma.filePrev) vmaAt(vma.filePrev).fileNext = vma.fileNext;
  else file.first = vma.fileNext;
  if (vma.fileNext) vmaAt(vma.fileNext).filePrev = vma.filePrev;
  else file.last = vma.filePrev;
}

/** The first vma of the list, from `vma` on, that maps a part of the pages [first, end); null at the end. */
export function fileCovering(from: Vma, first: u64, end: u64): Vma {
  let vma = from;
  while (exists(vma)) {
    if (vma.pgoff >= end) return vmaAt(0);
    if (vma.pgoff + vma.pages > first) return vma;
    vma = vmaAt(vma.fileNext);
  }
  return vma;
}

/** Where a vma maps the page offset (which it covers). */
@inline
export function fileAddress(vma: Vma, index: u64): u64 {
  return vma.start + ((index - vma.pgoff) << 12);
}
