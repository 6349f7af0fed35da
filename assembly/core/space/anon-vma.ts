// anon_vmas: the lists of vmas that may map anonymous pages, as Linux has them. An anonymous page names the
// anon_vma of the vma that first faulted it. The anon_vma lists that vma, its splits, and the copies that
// fork made.
//
//   anon_vma ──▶ link ─▶ link ─▶ …   in the order of the vmas' page offsets
//                 │       │
//                 ▼       ▼
//                vma     vma         each vma has a chain of its links, newest first

import { RESOURCE_ANON_VMA, RESOURCE_AVC } from "../../abi/pool";
import { VM_ACCESS } from "../../uapi/vm";
import { ANON_VMA_SIZE, AVC_SIZE } from "../base/layout";
import { exists } from "../base/object";
import { poolAlloc, poolFree, poolId, poolObject } from "../base/pool";
import { pgoffOf, Vma, vmaAt } from "./vma";

/** An anon_vma: the list of vmas that may map some anonymous pages. */
@unmanaged
class AnonVma {
  /**
   * The id of the oldest ancestor. It comes first, where a free object has its link: so `first` of a free one
   * is 0.
   */
  root: u32;
  /** The ends of the list of links. */
  first: u32;
  last: u32;
  /** The number of anon_vmas that fork made below this one; a root counts itself. */
  children: u32;
  /** The number of vmas whose own anon_vma this is. */
  active: u32;
  /** The id of the anon_vma that this one was forked from; a root is its own parent. */
  parent: u32;
  /** The number of KSM items that name it. */
  held: u32;
}

/** A link between a vma and an anon_vma (anon_vma_chain). */
@unmanaged
class Link {
  vma: u32;
  anonVma: u32;
  /** The neighbors in the chain of the vma. */
  chainNext: u32;
  chainPrev: u32;
  /** The neighbors in the list of the anon_vma. */
  prev: u32;
  next: u32;
}

if (offsetof<AnonVma>() != ANON_VMA_SIZE) ERROR("ANON_VMA_SIZE");
if (offsetof<Link>() != AVC_SIZE) ERROR("AVC_SIZE");

/** Returns the anon_vma of an id. */
@inline
export function anonVmaAt(id: u32): AnonVma {
  return changetype<AnonVma>(poolObject(RESOURCE_ANON_VMA, id));
}

/** Returns the link at an address of linear memory. */
@inline
export function linkAt(ptr: usize): Link {
  return changetype<Link>(ptr);
}

/** Tells whether a vma has exactly one link, as a vma that fork did not clone. */
@inline
export function chainIsSingular(vma: Vma): bool {
  return vma.chain != 0 && linkAt(vma.chain).chainNext == 0;
}

/** Inserts a link into the list of its anon_vma, in the order of page offsets. */
function treeInsert(anon: AnonVma, link: Link): void {
  const pgoff = vmaAt(link.vma).pgoff;
  let after: usize = anon.last;
  while (after && vmaAt(linkAt(after).vma).pgoff > pgoff) after = linkAt(after).prev;
  const self = <u32>changetype<usize>(link);
  link.prev = <u32>after;
  link.next = after ? linkAt(after).next : anon.first;
  if (after) linkAt(after).next = self;
  else anon.first = self;
  if (link.next) linkAt(link.next).prev = self;
  else anon.last = self;
}

/** Takes a link out of the list of its anon_vma. */
function treeRemove(anon: AnonVma, link: Link): void {
  if (link.prev) linkAt(link.prev).next = link.next;
  else anon.first = link.next;
  if (link.next) linkAt(link.next).prev = link.prev;
  else anon.last = link.prev;
}

/**
 * Links a vma to an anon_vma, at the head of the vma's chain. Returns false when the pool of links is
 * exhausted.
 */
function addLink(vma: Vma, anonId: u32): bool {
  const link = changetype<Link>(poolAlloc(RESOURCE_AVC));
  if (!exists(link)) return false;
  link.vma = <u32>vma.ptr;
  link.anonVma = anonId;
  link.chainNext = vma.chain;
  if (vma.chain) linkAt(vma.chain).chainPrev = <u32>changetype<usize>(link);
  vma.chain = <u32>changetype<usize>(link);
  treeInsert(anonVmaAt(anonId), link);
  return true;
}

/**
 * Takes the links of a vma out of the lists of their anon_vmas, before start and page offset of the vma
 * change.
 */
export function unlinkForUpdate(vma: Vma): void {
  for (let at: usize = vma.chain; at; at = linkAt(at).chainNext)
    treeRemove(anonVmaAt(linkAt(at).anonVma), linkAt(at));
}

/** Inserts the links of a vma again, after the change. */
export function relinkAfterUpdate(vma: Vma): void {
  for (let at: usize = vma.chain; at; at = linkAt(at).chainNext)
    treeInsert(anonVmaAt(linkAt(at).anonVma), linkAt(at));
}

/**
 * Unlinks a vma from all of its anon_vmas, and frees the anon_vmas that list no vma any more
 * (unlink_anon_vmas).
 */
export function unlinkAnonVmas(vma: Vma): void {
  let at: usize = vma.chain;
  while (at) {
    const link = linkAt(at);
    const anon = anonVmaAt(link.anonVma);
    treeRemove(anon, link);
    if (link.anonVma == vma.anonVma) anon.active--;
    if (!anon.first) {
      anonVmaAt(anon.parent).children--;
      if (!anon.held) poolFree(RESOURCE_ANON_VMA, changetype<usize>(anon));
    }
    at = link.chainNext;
    poolFree(RESOURCE_AVC, changetype<usize>(link));
  }
  vma.chain = 0;
  vma.anonVma = 0;
}

/** Returns the oldest link of a vma's chain, or 0. */
function chainTail(vma: Vma): usize {
  let tail: usize = vma.chain;
  while (tail && linkAt(tail).chainNext) tail = linkAt(tail).chainNext;
  return tail;
}

/**
 * Links dst, whose range and page offset are set, to each anon_vma of src (anon_vma_clone). For a split or a
 * copy the caller has set dst.anonVma. For a fork it is 0; then an anon_vma of the parent that no vma uses as
 * its own may become dst's. Returns false when the pool of links is exhausted; dst has no links then.
 */
export function anonVmaClone(dst: Vma, src: Vma): bool {
  const reuse = dst.anonVma == 0;
  for (let at = chainTail(src); at; at = linkAt(at).chainPrev) {
    const id = linkAt(at).anonVma;
    if (!addLink(dst, id)) {
      dst.anonVma = 0;
      unlinkAnonVmas(dst);
      return false;
    }
    const anon = anonVmaAt(id);
    if (reuse && !dst.anonVma && src.anonVma && anon.children < 2 && anon.active == 0) dst.anonVma = id;
  }
  if (dst.anonVma) anonVmaAt(dst.anonVma).active++;
  return true;
}

/**
 * Gives a vma that fork made an anon_vma of its own, below its parent's (anon_vma_fork). Returns false when a
 * pool is exhausted.
 */
export function anonVmaFork(child: Vma, parent: Vma): bool {
  if (!parent.anonVma) return true;
  child.anonVma = 0;
  if (!anonVmaClone(child, parent)) return false;
  if (child.anonVma) return true;
  if (!newAnonVma(child, parent.anonVma)) {
    unlinkAnonVmas(child);
    return false;
  }
  return true;
}

/**
 * Creates an anon_vma below `parent` (0: a root) as the vma's own. Returns false when a pool is exhausted.
 */
function newAnonVma(vma: Vma, parent: u32): bool {
  const anon = changetype<AnonVma>(poolAlloc(RESOURCE_ANON_VMA));
  if (!exists(anon)) return false;
  const id = poolId(RESOURCE_ANON_VMA, changetype<usize>(anon));
  if (!addLink(vma, id)) {
    poolFree(RESOURCE_ANON_VMA, changetype<usize>(anon));
    return false;
  }
  anon.parent = parent ? parent : id;
  anon.root = parent ? anonVmaAt(parent).root : id;
  anonVmaAt(anon.parent).children++;
  anon.active = 1;
  vma.anonVma = id;
  return true;
}

/** Tells whether two vmas could merge but for their protection (anon_vma_compatible). */
function adjacent(a: Vma, b: Vma): bool {
  return (
    a.end == b.start &&
    a.file == b.file &&
    ((a.flags ^ b.flags) & ~VM_ACCESS) == 0 &&
    b.pgoff == pgoffOf(a, b.start)
  );
}

/**
 * Gives a vma an anon_vma before its first page is faulted in (__anon_vma_prepare): a neighbor's, where the
 * two may merge later. Returns false when a pool is exhausted.
 */
export function anonVmaPrepare(vma: Vma): bool {
  if (vma.anonVma) return true;
  const next = vmaAt(vma.next);
  const prev = vmaAt(vma.prev);
  let id: u32 = 0;
  if (exists(next) && next.anonVma && adjacent(vma, next) && chainIsSingular(next)) id = next.anonVma;
  else if (exists(prev) && prev.anonVma && adjacent(prev, vma) && chainIsSingular(prev)) id = prev.anonVma;
  if (!id) return newAnonVma(vma, 0);
  if (!addLink(vma, id)) return false;
  vma.anonVma = id;
  anonVmaAt(id).active++;
  return true;
}

/** Keeps an anon_vma for a KSM item that names it, even when it lists no vma any more. */
export function anonVmaHold(id: u32): void {
  anonVmaAt(id).held++;
}

/** Undoes anonVmaHold(); frees the anon_vma if it lists no vma. */
export function anonVmaRelease(id: u32): void {
  const anon = anonVmaAt(id);
  if (!--anon.held && !anon.first) poolFree(RESOURCE_ANON_VMA, changetype<usize>(anon));
}

/**
 * Tells whether the links of a vma are sound: each in the list of its anon_vma, in order, one to the vma's
 * own.
 */
export function chainCheck(vma: Vma): bool {
  let own = vma.anonVma == 0;
  for (let at: usize = vma.chain; at; at = linkAt(at).chainNext) {
    const link = linkAt(at);
    if (link.vma != <u32>vma.ptr) return false;
    if (link.anonVma == vma.anonVma) own = true;
    const prev = link.prev;
    if (
      prev
        ? linkAt(prev).next != <u32>at || vmaAt(linkAt(prev).vma).pgoff > vma.pgoff
        : anonVmaAt(link.anonVma).first != <u32>at
    ) {
      return false;
    }
  }
  return own;
}
