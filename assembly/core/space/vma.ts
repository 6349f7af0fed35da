// Mappings of an address space (vmas): a treap keyed by start, and a list in the same order. The priorities
// of the treap are hashes of the objects' addresses, so that the same inputs give the same tree.

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
import { exists, none } from "../base/object";
import { poolAlloc, poolFree } from "../base/pool";
import { Mm, mmAt, newGeneration } from "./mm";

/** A mapping. */
@unmanaged
export class Vma {
  start: u64;
  /** Exclusive. */
  end: u64;
  /**
   * The page offset of start: in the file; for anonymous memory, the page number at which it was first
   * faulted.
   */
  pgoff: u64;
  /** VM_* */
  flags: u32;
  mmId: u32;
  /** The neighbors in the list of the mm. */
  prev: u32;
  next: u32;
  /** The children in the treap. */
  left: u32;
  right: u32;
  /** The id of the anon_vma of pages that are faulted here; 0: none yet. */
  anonVma: u32;
  /** The list of links to anon_vmas, newest first. */
  chain: u32;
  /** The id of the file; 0: none. */
  file: u32;
  /** A number that tells a vma from earlier ones at its address. */
  generation: u32;
  /** The neighbors in the list of the file. */
  filePrev: u32;
  fileNext: u32;

  /** The address space. */
  @inline get mm(): Mm {
    return mmAt(this.mmId);
  }
  /** The address of the object; 0 for none. */
  @inline get ptr(): usize {
    return changetype<usize>(this);
  }
  /** The length in pages. */
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

/** Returns the vma at an address of linear memory. */
@inline
export function vmaAt(ptr: usize): Vma {
  return changetype<Vma>(ptr);
}

/**
 * Tells whether a vma is anonymous: without a file (shared anonymous memory has one), and no driver's
 * mapping.
 */
@inline
export function isAnonymous(vma: Vma): bool {
  return vma.file == 0 && !(vma.flags & VM_SPECIAL);
}

/**
 * Tells whether pages of a vma may be shared copy-on-write: it is private, and may become writable
 * (is_cow_mapping).
 */
@inline
export function isCow(vma: Vma): bool {
  return (vma.flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE;
}

/** Returns what each entry of a vma has of the vma's protection, except the write bit: PTE_NO_ACCESS or 0. */
@inline
export function protection(vma: Vma): u32 {
  return vma.flags & VM_ACCESS ? 0 : PTE_NO_ACCESS;
}

/** Returns the page offset of an address in a vma (linear_page_index). */
@inline
export function pgoffOf(vma: Vma, addr: u64): u64 {
  return vma.pgoff + ((addr - vma.start) >> 12);
}

/** Returns the priority of a node in the treap. */
@inline
function priority(vma: usize): u32 {
  return ((<u32>vma) >> 6) * 0x9e3779b1;
}

/** Creates a vma, in no tree and list. Returns none when the pool is exhausted. */
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

/** Frees a vma that is in no tree and list. */
export function vmaFree(vma: Vma): void {
  vma.flags = 0;
  vma.generation = 0;
  poolFree(RESOURCE_VMA, vma.ptr);
}

/** Returns the first vma that ends above addr, or none (find_vma). The vma may start above addr. */
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

/** Returns the vma that covers addr, or none (vma_lookup). */
@inline
export function vmaLookup(mm: Mm, addr: u64): Vma {
  const vma = findVmaFrom(mm, addr);
  return exists(vma) && vma.start <= addr ? vma : none<Vma>();
}

/**
 * Returns the first vma that covers a part of [cursor, end), or none. The walk over the vmas of a range is:
 *
 *   for (let vma = vmaInRange(mm, cursor, end); exists(vma); vma = vmaInRange(mm, cursor, end)) {
 *     if (vma.start > cursor) …             // a hole before the vma
 *     …                                     // its part: [max(cursor, vma.start), min(vma.end, end))
 *     cursor = min(vma.end, end);
 *   }
 *
 * A cursor below `end` afterwards means that the range ends in a hole. The body may split and merge vmas.
 */
export function vmaInRange(mm: Mm, cursor: u64, end: u64): Vma {
  if (cursor >= end) return none<Vma>();
  const vma = findVmaFrom(mm, cursor);
  return exists(vma) && vma.start < end ? vma : none<Vma>();
}

/** Links a vma, which overlaps no other, into the treap and list of its mm. */
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

/** Links a vma into the treap: above the first node of lower priority, whose subtree it divides. */
function treeInsert(mm: Mm, vma: Vma): void {
  const rank = priority(vma.ptr);
  let at = changetype<usize>(mm) + offsetof<Mm>("vmaRoot");
  let node: usize = load<u32>(at);
  while (node && priority(node) >= rank) {
    at = node + (vma.start < load<u64>(node, VMA_START) ? offsetof<Vma>("left") : offsetof<Vma>("right"));
    node = load<u32>(at);
  }
  store<u32>(at, <u32>vma.ptr);
  // The subtree is divided into the nodes left and right of the new node.
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

/** Takes a vma out of the treap and list of its mm. */
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
