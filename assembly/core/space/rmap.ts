// The reverse map: from an anonymous page to the mappings that may hold it. As in Linux, a page names the anon_vma of
// the vma that first faulted it and its page offset there; the anon_vma lists the vmas that may map its pages: that
// vma, its splits, and the copies that fork made. Looking into each one's page table tells which do.
//
//   page ──mapping,index──▶ anon_vma ──▶ link ─▶ link ─▶ …   sorted by the vmas' page offsets
//                                         │       │
//                                         ▼       ▼
//                                        vma     vma         each vma: a chain of its links, newest first

import { PMD_PAGES } from "../../uapi/page";
import { FOLIO_ANON, FOLIO_KSM } from "../../abi/frame";
import { RESOURCE_ANON_VMA, RESOURCE_AVC } from "../../abi/pool";
import { exists } from "../base/object";
import { poolAlloc, poolFree, poolId, poolObject } from "../base/pool";
import { Folio } from "../frame/folio";
import { fileAt, fileCovering } from "./file";
import { ksmItemAt, ksmNodeAt } from "./ksm-item";
import { pgoffOf, Vma, vmaAt } from "./vma";


@unmanaged
export class AnonVma {
  /** The oldest ancestor. (First, since a free object's first word is another's address: `first` of one is always 0.) */
  root: u32;
  first: u32;
  last: u32;
  /** anon_vmas that fork made below this one (a root counts itself). */
  children: u32;
  /** vmas whose own anon_vma this is. */
  active: u32;
  parent: u32;
  /** KSM items that name it. */
  held: u32;
}

/** A link between a vma and an anon_vma (Linux: anon_vma_chain). */
@unmanaged
export class Link {
  vma: u32;
  anonVma: u32;
  chainNext: u32;
  chainPrev: u32;
  prev: u32;
  next: u32;
}


@inline
export function anonVmaAt(id: u32): AnonVma {
  return changetype<AnonVma>(poolObject(RESOURCE_ANON_VMA, id));
}


@inline
export function linkAt(ptr: usize): Link {
  return changetype<Link>(ptr);
}

/** Has this vma exactly one link? (Then it was not cloned from a parent.) */
@inline
export function chainIsSingular(vma: Vma): bool {
  return vma.chain != 0 && linkAt(vma.chain).chainNext == 0;
}

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

function treeRemove(anon: AnonVma, link: Link): void {
  if (link.prev) linkAt(link.prev).next = link.next;
  else anon.first = link.next;
  if (link.next) linkAt(link.next).prev = link.prev;
  else anon.last = link.prev;
}

/** Adds a link to the head of the vma's chain. False when the link table is full. */
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

/** Before a vma's start and page offset change: its links leave their anon_vmas. */
export function unlinkForUpdate(vma: Vma): void {
  for (let at: usize = vma.chain; at; at = linkAt(at).chainNext)
    treeRemove(anonVmaAt(linkAt(at).anonVma), linkAt(at));
}

/** After the change: they return, where they belong now. */
export function relinkAfterUpdate(vma: Vma): void {
  for (let at: usize = vma.chain; at; at = linkAt(at).chainNext)
    treeInsert(anonVmaAt(linkAt(at).anonVma), linkAt(at));
}

/** Ends a vma's part in the reverse map (unlink_anon_vmas). anon_vmas that no vma is left in are freed. */
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

function chainTail(vma: Vma): usize {
  let tail: usize = vma.chain;
  while (tail && linkAt(tail).chainNext) tail = linkAt(tail).chainNext;
  return tail;
}

/**
 * anon_vma_clone: dst, whose range and offset are set, joins every anon_vma of src. The caller sets dst.anonVma before
 * for a split or copy (it stays), or leaves it 0 for a fork: then a parent's empty anon_vma may be reused.
 * False when links run out; dst has none then.
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

/** anon_vma_fork: a child's vma gets an anon_vma of its own below its parent's. False when a table is full. */
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

/** Same mapping but for protection, and offsets that go on? (anon_vma_compatible) */
function adjacent(a: Vma, b: Vma): bool {
  return (
    a.end == b.start && a.file == b.file && ((a.flags ^ b.flags) & ~7) == 0 && b.pgoff == pgoffOf(a, b.start)
  );
}

/** Before a vma's first page: gives it an anon_vma, a neighbour's where that will let the two merge later. */
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

/** The first link, from `link` on, whose vma covers the page's offset; 0 at the end. */
function covering(link: usize, pgoff: u64): usize {
  while (link) {
    const vma = vmaAt(linkAt(link).vma);
    if (vma.pgoff > pgoff) return 0;
    if (pgoff - vma.pgoff < vma.pages) return link;
    link = linkAt(link).next;
  }
  return 0;
}

/**
 * Walks the vmas that may map a page: a cursor to the first, 0 if there is none. For an anonymous page the cursor is a
 * link, for a file's page the vma itself, for a KSM page a number.
 */
export function rmapFirst(folio: Folio): usize {
  if (folio.has(FOLIO_KSM)) return ksmSeek(folio, 1) ? 1 : 0;
  if (!folio.mapping) return 0;
  if (folio.has(FOLIO_ANON)) return covering(anonVmaAt(folio.mapping).first, folio.pgoff);
  return fileCovering(vmaAt(fileAt(folio.mapping).first), folio.pgoff, folio.pgoff + 1).ptr;
}

export function rmapNext(cursor: usize, folio: Folio): usize {
  if (folio.has(FOLIO_KSM)) return ksmSeek(folio, cursor + 1) ? cursor + 1 : 0;
  if (folio.has(FOLIO_ANON)) return covering(linkAt(cursor).next, folio.pgoff);
  return fileCovering(vmaAt(vmaAt(cursor).fileNext), folio.pgoff, folio.pgoff + 1).ptr;
}

/** The vma at a cursor. */
@inline
export function rmapVma(cursor: usize, folio: Folio): Vma {
  if (folio.has(FOLIO_KSM)) return vmaAt(<u32>ksmSeek(folio, cursor));
  return folio.has(FOLIO_ANON) ? vmaAt(linkAt(cursor).vma) : vmaAt(cursor);
}

/** Where a vma of the walk would map the page. */
@inline
export function rmapAddress(vma: Vma, folio: Folio, cursor: usize): u64 {
  if (folio.has(FOLIO_KSM)) return ksmItemAt(<usize>(ksmSeek(folio, cursor) >> 32)).address;
  return vma.start + ((folio.pgoff - vma.pgoff) << 12);
}

/**
 * As rmapFirst() and rmapNext(), for all of a large folio: vmas that may map any part of it. `page` is the folio of a part
 * that is mapped, the i-th.
 */
export function rmapFirstLarge(page: Folio, i: u32): usize {
  return overlapping(anonVmaAt(page.mapping).first, page.pgoff - i);
}

export function rmapNextLarge(cursor: usize, page: Folio, i: u32): usize {
  return overlapping(linkAt(cursor).next, page.pgoff - i);
}

function overlapping(from: usize, pgoff: u64): usize {
  for (let link = from; link; link = linkAt(link).next) {
    const vma = vmaAt(linkAt(link).vma);
    if (vma.pgoff >= pgoff + PMD_PAGES) return 0;
    if (vma.pgoff + vma.pages > pgoff) return link;
  }
  return 0;
}

/** Where the part of a large folio begins that a vma may map; `pgoff` is the folio's page offset. */
@inline
export function partStart(vma: Vma, pgoff: u64): u64 {
  return pgoff > vma.pgoff ? vma.start + ((pgoff - vma.pgoff) << 12) : vma.start;
}

/** Where the part ends: see partStart(). */
@inline
export function partEnd(vma: Vma, pgoff: u64): u64 {
  return min(vma.end, vma.start + ((pgoff + PMD_PAGES - vma.pgoff) << 12));
}

/** A KSM item names an anon_vma: it stays, even when no vma is left in it. */
export function anonVmaHold(id: u32): void {
  anonVmaAt(id).held++;
}

export function anonVmaRelease(id: u32): void {
  const anon = anonVmaAt(id);
  if (!--anon.held && !anon.first) poolFree(RESOURCE_ANON_VMA, changetype<usize>(anon));
}

/**
 * rmap_walk_ksm: the n-th vma (from 1) that may map a KSM page, with its item: item << 32 | vma; 0 at the end. First each
 * item's own mapping, the newest item's before; then, for each item, what forks have made of it since.
 */
function ksmSeek(folio: Folio, n: usize): u64 {
  let left = n;
  for (let forks = 0; forks < 2; forks++) {
    for (let at: usize = ksmNodeAt(folio.index).first; at; at = ksmItemAt(at).next) {
      const item = ksmItemAt(at);
      for (let link: usize = anonVmaAt(item.anonVma).first; link; link = linkAt(link).next) {
        const vma = vmaAt(linkAt(link).vma);
        if (item.address < vma.start || item.address >= vma.end) continue;
        if ((vma.mmId == item.mm ? 0 : 1) == forks && !--left) return ((<u64>at) << 32) | vma.ptr;
      }
    }
  }
  return 0;
}

/** Are a vma's links whole: each in its anon_vma's list, sorted there, and its own anon_vma among them? */
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
