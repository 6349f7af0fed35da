// Splitting and merging vmas by Linux's rules. Two neighbors merge when their flags and files are equal,
// their page offsets are consecutive, and their anon_vmas agree: both have the same one, or one side has none
// and the vma that grows has exactly one link. (A vma that fork cloned has more links and does not merge with
// a neighbor that was never faulted.)

import { VM_SPECIAL } from "../../uapi/vm";
import { exists, none } from "../base/object";
import { fileAttach, fileDetach, fileInsert, fileRemove } from "./file";
import { Mm } from "./mm";
import {
  anonVmaClone,
  chainIsSingular,
  relinkAfterUpdate,
  unlinkAnonVmas,
  unlinkForUpdate,
} from "./anon-vma";
import { pgoffOf, Vma, vmaAlloc, vmaAt, vmaFree, vmaInsert, vmaRemove } from "./vma";

/**
 * Tells whether two anon_vmas agree (is_mergeable_anon_vma). `into`: the vma that grows, whose chain must be
 * singular; none where two vmas meet.
 */
function anonVmasAgree(a: u32, b: u32, into: Vma): bool {
  if ((!a || !b) && (!exists(into) || chainIsSingular(into))) return true;
  return a == b;
}

/** Unlinks and frees a vma, whose pages are gone or belong to another vma. */
export function vmaDestroy(mm: Mm, vma: Vma): void {
  vmaRemove(mm, vma);
  fileDetach(vma);
  unlinkAnonVmas(vma);
  vmaFree(vma);
}

/** Gives a vma a new range and page offset, and moves it in the lists that are ordered by them. */
export function setRange(vma: Vma, start: u64, end: u64, pgoff: u64): void {
  unlinkForUpdate(vma);
  fileRemove(vma);
  vma.start = start;
  vma.end = end;
  vma.pgoff = pgoff;
  relinkAfterUpdate(vma);
  fileInsert(vma);
}

/** Links a new vma into its mm and into the list of its file. */
export function vmaAdd(mm: Mm, vma: Vma): void {
  vmaInsert(mm, vma);
  fileAttach(vma);
}

/**
 * Splits a vma at addr (__split_vma). `below`: the new vma is the lower part; otherwise the upper part. Each
 * caller chooses as its counterpart in the kernel does: handles of the old vma refer to the other part.
 * Returns false, and changes nothing, when a pool is exhausted.
 */
export function vmaSplit(mm: Mm, vma: Vma, addr: u64, below: bool): bool {
  const part = below
    ? vmaAlloc(mm, vma.start, addr, vma.flags, vma.pgoff, vma.file)
    : vmaAlloc(mm, addr, vma.end, vma.flags, pgoffOf(vma, addr), vma.file);
  if (!exists(part)) return false;
  part.anonVma = vma.anonVma;
  if (!anonVmaClone(part, vma)) {
    vmaFree(part);
    return false;
  }
  if (below) setRange(vma, addr, vma.end, pgoffOf(vma, addr));
  else setRange(vma, vma.start, addr, vma.pgoff);
  vmaAdd(mm, part);
  return true;
}

/**
 * Gives the vma that grows the anon_vmas of the other one, if it has none (dup_anon_vma). False: the pool is
 * exhausted.
 */
function adoptAnonVma(into: Vma, from: Vma): bool {
  if (!from.anonVma || into.anonVma) return true;
  into.anonVma = from.anonVma;
  return anonVmaClone(into, from);
}

/** Tells whether a range from `start` on with these properties can extend prev (can_vma_merge_after). */
function mergesAfter(prev: Vma, start: u64, flags: u32, pgoff: u64, file: u32, anonVma: u32): bool {
  if (!exists(prev) || prev.end != start || prev.flags != flags || prev.file != file) return false;
  return anonVmasAgree(anonVma, prev.anonVma, prev) && pgoffOf(prev, start) == pgoff;
}

/**
 * Tells whether a range that ends at `end`, with the page offset `pgoff` there, can extend next
 * (can_vma_merge_before).
 */
function mergesBefore(next: Vma, end: u64, flags: u32, pgoff: u64, file: u32, anonVma: u32): bool {
  if (!exists(next) || next.start != end || next.flags != flags || next.file != file) return false;
  return anonVmasAgree(anonVma, next.anonVma, next) && next.pgoff == pgoff;
}

/**
 * Maps [start, end), which no vma covers, by extending a neighbor (vma_merge_new_range). `anonVma`: that of
 * the pages in the range, where mremap moves them there; otherwise 0. Returns the vma that holds the range
 * now, or none: the caller creates a vma.
 */
export function vmaMergeNew(
  prev: Vma,
  next: Vma,
  start: u64,
  end: u64,
  flags: u32,
  pgoff: u64,
  file: u32,
  anonVma: u32,
): Vma {
  if (flags & VM_SPECIAL) return none<Vma>();
  const left = mergesAfter(prev, start, flags, pgoff, file, anonVma);
  let right = mergesBefore(next, end, flags, pgoff + ((end - start) >> 12), file, anonVma);
  if (left && right) right = anonVmasAgree(prev.anonVma, next.anonVma, none<Vma>());
  if (left && right) {
    if (!adoptAnonVma(prev, next)) return none<Vma>();
    const until = next.end;
    vmaDestroy(prev.mm, next);
    setRange(prev, prev.start, until, prev.pgoff);
    return prev;
  }
  if (left) {
    setRange(prev, prev.start, end, prev.pgoff);
    return prev;
  }
  if (right) {
    setRange(next, start, next.end, pgoff);
    return next;
  }
  return none<Vma>();
}

/**
 * Merges [start, end) of a vma, whose flags become `flags`, with its neighbors (vma_merge_existing_range).
 * Returns the vma that holds the range now, or none if it does not merge.
 */
function mergeExisting(mm: Mm, vma: Vma, start: u64, end: u64, flags: u32): Vma {
  if (flags & VM_SPECIAL) return none<Vma>();
  const prev = start == vma.start ? vmaAt(vma.prev) : none<Vma>();
  const next = end == vma.end ? vmaAt(vma.next) : none<Vma>();
  const left = mergesAfter(prev, start, flags, pgoffOf(vma, start), vma.file, vma.anonVma);
  let right = mergesBefore(next, end, flags, pgoffOf(vma, end), vma.file, vma.anonVma);
  if (left && right) right = anonVmasAgree(prev.anonVma, next.anonVma, none<Vma>());
  if (!left && !right) return none<Vma>();
  if (left) {
    if (!adoptAnonVma(prev, right && next.anonVma ? next : vma)) return none<Vma>();
    const until = right ? next.end : end;
    if (end == vma.end) vmaDestroy(mm, vma);
    else setRange(vma, end, vma.end, pgoffOf(vma, end));
    if (right) vmaDestroy(mm, next);
    setRange(prev, prev.start, until, prev.pgoff);
    return prev;
  }
  if (!adoptAnonVma(next, vma)) return none<Vma>();
  const pgoff = pgoffOf(vma, start);
  if (start == vma.start) vmaDestroy(mm, vma);
  else setRange(vma, vma.start, start, vma.pgoff);
  setRange(next, start, next.end, pgoff);
  return next;
}

/**
 * Gives [start, end) of a vma new flags; merges with neighbors, or splits, as needed (vma_modify_flags).
 * Returns the vma that holds the range now, or none when a pool is exhausted: then flags are as before, and
 * splits stay.
 */
export function vmaModify(mm: Mm, vma: Vma, start: u64, end: u64, flags: u32): Vma {
  const merged = mergeExisting(mm, vma, start, end, flags);
  if (exists(merged)) return merged;
  if (vma.start < start && !vmaSplit(mm, vma, start, true)) return none<Vma>();
  if (vma.end > end && !vmaSplit(mm, vma, end, false)) return none<Vma>();
  vma.flags = flags;
  return vma;
}
