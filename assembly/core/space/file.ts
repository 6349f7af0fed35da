// Files in memory. The page cache of a file is the file: a table like a page table, indexed by page offset. A
// disk file knows which of its pages are dirty; a shmem file (tmpfs, shared anonymous memory) needs no such
// knowledge. The vmas that map a file form a list in the order of their page offsets: the reverse map of the
// file's pages.

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
import { markFrame, zeroFrame } from "../frame/frame";
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

/** A file. */
@unmanaged
export class File {
  /** FILE_DISK or FILE_SHMEM; 0: not in use. */
  kind: u32;
  /** The root table of the page cache. */
  root: u32;
  /** The size in bytes. */
  bytes: u64;
  /** The number of pages in the cache. */
  pages: u32;
  /** The number of holds: the caller's, and one for each vma. */
  holds: u32;
  /** The ends of the list of vmas. */
  first: u32;
  last: u32;
  reserved0: u64;
  reserved1: u64;

  /** The file's id. */
  @inline get id(): u32 {
    return poolId(RESOURCE_FILE, changetype<usize>(this));
  }
  /** The size in pages; the last page may lie in the file in part. */
  @inline get length(): u64 {
    return (this.bytes + 4095) >> 12;
  }
}

if (offsetof<File>() != FILE_SIZE) ERROR("FILE_SIZE");
if (offsetof<File>("kind") != FILE_KIND) ERROR("FILE_KIND");
if (offsetof<File>("bytes") != FILE_BYTES) ERROR("FILE_BYTES");
if (offsetof<File>("pages") != FILE_PAGES) ERROR("FILE_PAGES");

/** Returns the object of an id, in use or not. */
@inline
export function fileAt(id: u32): File {
  return changetype<File>(poolObject(RESOURCE_FILE, id));
}

/** Returns the file of an id, or none. */
export function fileOf(id: u32): File {
  if (!id || id > poolHigh(RESOURCE_FILE)) return none<File>();
  const file = fileAt(id);
  return file.root && file.holds ? file : none<File>();
}

/** Creates an empty file, which the caller holds. Returns none when a pool is exhausted. */
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

/** Creates a file of a kind and size, which the caller holds. Returns its id, -EINVAL or -ENOMEM. */
export function fileCreate(kind: u32, bytes: f64): i32 {
  if ((kind != FILE_DISK && kind != FILE_SHMEM) || !(bytes >= 0 && bytes < 281474976710656)) return -EINVAL;
  const file = fileAlloc(kind, addressOf(bytes));
  return exists(file) ? file.id : -ENOMEM;
}

/** Drops a hold. The last one frees the file, which no vma maps then. */
export function fileRelease(file: File): void {
  if (--file.holds) return;
  dropCache(file, 0, (<u64>1) << 36);
  freeAllTables(file.root);
  file.root = 0;
  file.kind = 0;
  poolFree(RESOURCE_FILE, changetype<usize>(file));
}

/** Drops the caller's hold of the file with this id. Returns 0, or -EINVAL. */
export function fileClose(id: u32): i32 {
  const file = fileOf(id);
  if (!exists(file)) return -EINVAL;
  fileRelease(file);
  return 0;
}

/**
 * Drops the pages [first, end) from the cache: each is freed, unless an entry or a pin still refers to it.
 */
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

/** Returns the pfn of a page that the cache has, else 0. */
@inline
export function cacheLookup(file: File, index: u64): u32 {
  return ptePfn(readPte(file.root, index << 12));
}

/**
 * Returns the pfn of a page. If the cache lacks it, adds a zeroed page, charged to the group; 0 when memory
 * ran out.
 */
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

/** Replaces a page of the cache by another one, which takes over the cache's reference. */
export function cacheReplace(file: File, index: u64, from: u32, to: u32): void {
  store<u64>(walk(file.root, index << 12), makePte(to, <u32>PTE_PRESENT));
  folioOf(to).refs++;
  folioOf(from).refs--;
}

/** Zeroes the bytes [from, to) of one page, if the cache has it. */
export function zeroPart(file: File, index: u64, from: u32, to: u32): void {
  const pfn = cacheLookup(file, index);
  if (!pfn || !frameOf(0)) return;
  markFrame(pfn);
  memory.fill(frameOf(pfn) + from, 0, to - from);
}

// ── The vmas that map a file ───────────────────────────────────────────────────────────────────────────────

/** Adds a vma to the list of its file, after the vmas with the same page offset; the vma holds the file. */
export function fileAttach(vma: Vma): void {
  if (!vma.file) return;
  fileAt(vma.file).holds++;
  fileInsert(vma);
}

/** Takes a vma out of the list of its file and drops its hold, which may free the file. */
export function fileDetach(vma: Vma): void {
  if (!vma.file) return;
  fileRemove(vma);
  fileRelease(fileAt(vma.file));
}

/** Inserts a vma into the list of its file, in the order of page offsets. */
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

/** Takes a vma out of the list of its file; its hold stays. */
export function fileRemove(vma: Vma): void {
  if (!vma.file) return;
  const file = fileAt(vma.file);
  if (vma.filePrev) vmaAt(vma.filePrev).fileNext = vma.fileNext;
  else file.first = vma.fileNext;
  if (vma.fileNext) vmaAt(vma.fileNext).filePrev = vma.filePrev;
  else file.last = vma.filePrev;
}

/** Returns the first vma, from `from` on in the list, that maps a part of the pages [first, end), or none. */
export function fileCovering(from: Vma, first: u64, end: u64): Vma {
  let vma = from;
  while (exists(vma)) {
    if (vma.pgoff >= end) return none<Vma>();
    if (vma.pgoff + vma.pages > first) return vma;
    vma = vmaAt(vma.fileNext);
  }
  return vma;
}

/** Returns the address at which a vma maps a page that it covers. */
@inline
export function fileAddress(vma: Vma, index: u64): u64 {
  return vma.start + ((index - vma.pgoff) << 12);
}
