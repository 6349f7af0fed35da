// Mappings of an address space: a treap keyed by start (its priorities are hashes of the objects' addresses, so that
// the same inputs give the same tree), threaded by a sorted list.

import { PTE_NO_ACCESS } from "../../uapi/pte";
import {
  VMA_END,
  VMA_FILE,
  VMA_FLAGS,
  VMA_GENERATION,
  VMA_MM,
  VMA_NEXT,
  VMA_PGOFF,
  VMA_START,
} from "../../abi/object";
import { RESOURCE_VMA } from "../../abi/pool";
import { VMA_SIZE } from "../base/layout";
import { VM_ACCESS, VM_MAYWRITE, VM_SHARED, VM_SPECIAL } from "../../uapi/vm";
import { exists } from "../base/object";
import { poolAlloc, poolFree } from "../base/pool";
import { Mm, mmAt, newGeneration } from "./mm";


@unmanaged
export class Vma {
  start: u64;
  /** exclusive */
  end: u64;
  /** Page offset of start: in the file, or of the address where anonymous memory was first faulted. */
  pgoff: u64;
  flags: u32;
  mmId: u32;
  prev: u32;
  next: u32;
  left: u32;
  right: u32;
  anonVma: u32;
  /** List of anon_vma links, newest first. */
  chain: u32;
  file: u32;
  generation: u32;
  filePrev: u32;
  fileNext: u32;


  @inline get mm(): Mm {
    return mmAt(this.mmId);
  }


  @inline get ptr(): usize {
    return changetype<usize>(this);
  }


  @inline get pages(): u64 {
    return (this.end - this.start) >> 12;
  }
}

if (offsetof<Vma>() != VMA_SIZE) ERROR("VMA_SIZE");
if (offsetof<Vma>("start") != VMA_START) ERROR("VMA_START");
if (offsetof<Vma>("end") != VMA_END) ERROR("VMA_END");
if (offsetof<Vma>("pgoff") != VMA_PGOFF) ERROR("VMA_PGOFF");
if (offsetof<Vma>("flags") != VMA_FLAGS) ERROR("VMA_FLAGS");
if (offsetof<Vma>("mmId") != VMA_MM) ERROR("VMA_MM");
if (offsetof<Vma>("next") != VMA_NEXT) ERROR("VMA_NEXT");
if (offsetof<Vma>("file") != VMA_FILE) ERROR("VMA_FILE");
if (offsetof<Vma>("generation") != VMA_GENERATION) ERROR("VMA_GENERATION");


@inline
export function vmaAt(ptr: usize): Vma {
  return changetype<Vma>(ptr);
}

/** Anonymous: without a file, and not a driver's. (Shared anonymous memory has one, of kind shmem.) */
@inline
export function isAnonymous(vma: Vma): bool {
  return vma.file == 0 && !(vma.flags & VM_SPECIAL);
}

/** May this mapping's pages be shared copy-on-write: private, and writable at some time? */
@inline
export function isCow(vma: Vma): bool {
  return (vma.flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE;
}

/** What every entry of the vma says of its protection, but for the write bit. */
@inline
export function protection(vma: Vma): u32 {
  return vma.flags & VM_ACCESS ? 0 : PTE_NO_ACCESS;
}

/** linear_page_index: the page offset of an address in its mapping. */
@inline
export function pgoffOf(vma: Vma, addr: u64): u64 {
  return vma.pgoff + ((addr - vma.start) >> 12);
}


@inline
function priority(vma: usize): u32 {
  return ((<u32>vma) >> 6) * 0x9e3779b1;
}

/** A new vma, in no tree yet; null when the table is full. */
export function vmaAlloc(mm: Mm, start: u64, end: u64, flags: u32, pgoff: u64, file: u32): Vma {
  const vma = changetype<Vma>(poolAlloc(RESOURCE_VMA));
  if (!exists(vma)) return vma;
  vma.start = start;
  vma.end = end;
  vma.flags = flags;
  vma.pgoff = pgoff;
  vma.file = file;
  vma.mmId = mm.id;
  vma.generation = newGeneration();
  return vma;
}

export function vmaFree(vma: Vma): void {
  vma.flags = 0;
  vma.generation = 0;
  poolFree(RESOURCE_VMA, vma.ptr);
}

/** find_vma: the first vma that ends above addr, or null. It may start above addr. */
export function findVmaFrom(mm: Mm, addr: u64): Vma {
  const cached = vmaAt(mm.vmaCache);
  if (exists(cached) && cached.start <= addr && addr < cached.end) return cached;
  let best: usize = 0;
  let node: usize = mm.vmaRoot;
  while (node) {
    if (addr < load<u64>(node, VMA_END)) {
      best = node;
      if (addr >= load<u64>(node, VMA_START)) break;
      node = load<u32>(node, offsetof<Vma>("left"));
    } else {
      node = load<u32>(node, offsetof<Vma>("right"));
    }
  }
  if (best) mm.vmaCache = <u32>best;
  return vmaAt(best);
}

/** The vma that holds addr, or null. */
@inline
export function vmaLookup(mm: Mm, addr: u64): Vma {
  const vma = findVmaFrom(mm, addr);
  return exists(vma) && vma.start <= addr ? vma : vmaAt(0);
}

/**
 * The walk over the vmas of a range: the first vma that has a part of [cursor, end), or null.
 *
 *   for (let vma = vmaInRange(mm, cursor, end); exists(vma); vma = vmaInRange(mm, cursor, end)) {
 *     if (vma.start > cursor) …             // a hole before it
 *     …                                     // the part [max(cursor, vma.start), min(vma.end, end))
 *     cursor = min(vma.end, end);
 *   }
 *
 * Afterwards a cursor below `end` says that the range ends in a hole. The body may split, merge and replace vmas.
 */
export function vmaInRange(mm: Mm, cursor: u64, end: u64): Vma {
  if (cursor >= end) return vmaAt(0);
  const vma = findVmaFrom(mm, cursor);
  return exists(vma) && vma.start < end ? vma : vmaAt(0);
}

/** Links a vma into its mm. It overlaps no other. */
export function vmaInsert(mm: Mm, vma: Vma): void {
  const next = findVmaFrom(mm, vma.start);
  assert(!exists(next) || next.start >= vma.end, "vmaInsert: vmas overlap");
  vma.next = <u32>next.ptr;
  vma.prev = exists(next) ? next.prev : mm.vmaLast;
  if (vma.prev) vmaAt(vma.prev).next = <u32>vma.ptr;
  else mm.vmaFirst = <u32>vma.ptr;
  if (exists(next)) next.prev = <u32>vma.ptr;
  else mm.vmaLast = <u32>vma.ptr;
  mm.vmaCount++;
  treeInsert(mm, vma);
}

function treeInsert(mm: Mm, vma: Vma): void {
  const rank = priority(vma.ptr);
  let at = changetype<usize>(mm) + offsetof<Mm>("vmaRoot");
  let node: usize = load<u32>(at);
  while (node && priority(node) >= rank) {
    at = node + (vma.start < load<u64>(node, VMA_START) ? offsetof<Vma>("left") : offsetof<Vma>("right"));
    node = load<u32>(at);
  }
  store<u32>(at, <u32>vma.ptr);
  // What hung there is parted into what lies left and right of the new node.
  let left = vma.ptr + offsetof<Vma>("left");
  let right = vma.ptr + offsetof<Vma>("right");
  while (node) {
    if (load<u64>(node, VMA_START) < vma.start) {
      store<u32>(left, <u32>node);
      left = node + offsetof<Vma>("right");
      node = load<u32>(left);
    } else {
      store<u32>(right, <u32>node);
      right = node + offsetof<Vma>("left");
      node = load<u32>(right);
    }
  }
  store<u32>(left, 0);
  store<u32>(right, 0);
}

/** Takes a vma out of its mm's tree and list. */
export function vmaRemove(mm: Mm, vma: Vma): void {
  let at = changetype<usize>(mm) + offsetof<Mm>("vmaRoot");
  while (load<u32>(at) != <u32>vma.ptr) {
    const node: usize = load<u32>(at);
    assert(node, "vmaRemove: not in the tree");
    at = node + (vma.start < load<u64>(node, VMA_START) ? offsetof<Vma>("left") : offsetof<Vma>("right"));
  }
  let left: usize = vma.left;
  let right: usize = vma.right;
  while (left && right) {
    if (priority(left) > priority(right)) {
      store<u32>(at, <u32>left);
      at = left + offsetof<Vma>("right");
      left = load<u32>(at);
    } else {
      store<u32>(at, <u32>right);
      at = right + offsetof<Vma>("left");
      right = load<u32>(at);
    }
  }
  store<u32>(at, <u32>(left ? left : right));
  if (vma.prev) vmaAt(vma.prev).next = vma.next;
  else mm.vmaFirst = vma.next;
  if (vma.next) vmaAt(vma.next).prev = vma.prev;
  else mm.vmaLast = vma.prev;
  mm.vmaCount--;
  if (mm.vmaCache == <u32>vma.ptr) mm.vmaCache = 0;
}
