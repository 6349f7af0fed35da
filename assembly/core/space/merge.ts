// Splitting and merging mappings by Linux's rules. Two neighbours merge when their flags and file are equal, their
// page offsets go on, and their anon_vmas agree: the same one, or one side has none and the neighbour that is merged
// into has exactly one link (a mapping that fork cloned has more, and stays apart; so does a neighbour that was
// never faulted, from one that was).

import { VM_SPECIAL } from "../../uapi/vm";
import { exists } from "../base/object";
import { fileAttach, fileDetach, fileInsert, fileRemove } from "./file";
import { Mm } from "./mm";
import { anonVmaClone, chainIsSingular, relinkAfterUpdate, unlinkAnonVmas, unlinkForUpdate } from "./rmap";
import { pgoffOf, Vma, vmaAlloc, vmaAt, vmaFree, vmaInsert, vmaRemove } from "./vma";

/** is_mergeable_anon_vma; `into` is the neighbour whose chain must be singular, or null where two neighbours meet. */
function anonVmasAgree(a: u32, b: u32, into: Vma): bool {
  if ((!a || !b) && (!exists(into) || chainIsSingular(into))) return true;
  return a == b;
}

/** Takes a vma out of everything and frees it. Its pages are gone, or another vma has taken them over. */
export function vmaDestroy(mm: Mm, vma: Vma): void {
  vmaRemove(mm, vma);
  fileDetach(vma);
  unlinkAnonVmas(vma);
  vmaFree(vma);
}

function setRange(vma: Vma, start: u64, end: u64, pgoff: u64): void {
  unlinkForUpdate(vma);
  fileRemove(vma);
  vma.start = start;
  vma.end = end;
  vma.pgoff = pgoff;
  relinkAfterUpdate(vma);
  fileInsert(vma);
}

/** Links a new vma into its mm, and into its file's list. */
export function vmaAdd(mm: Mm, vma: Vma): void {
  vmaInsert(mm, vma);
  fileAttach(vma);
}

/**
 * Splits a vma at addr. `below`: the new vma is the lower part, else the upper one (as the kernel's callers choose; it
 * decides which handle lives on). False when a table is full, nothing changed then.
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

/** dup_anon_vma: the vma that grows takes over the other's anon_vmas if it has none. */
function adoptAnonVma(into: Vma, from: Vma): bool {
  if (!from.anonVma || into.anonVma) return true;
  into.anonVma = from.anonVma;
  return anonVmaClone(into, from);
}

/** Can a range that starts at prev's end and has these properties go into prev? (can_vma_merge_after) */
function mergesAfter(prev: Vma, start: u64, flags: u32, pgoff: u64, file: u32, anonVma: u32): bool {
  if (!exists(prev) || prev.end != start || prev.flags != flags || prev.file != file) return false;
  return anonVmasAgree(anonVma, prev.anonVma, prev) && pgoffOf(prev, start) == pgoff;
}

/** Can a range that ends at next's start go into next? pgoff is that of the range's end. (can_vma_merge_before) */
function mergesBefore(next: Vma, end: u64, flags: u32, pgoff: u64, file: u32, anonVma: u32): bool {
  if (!exists(next) || next.start != end || next.flags != flags || next.file != file) return false;
  return anonVmasAgree(anonVma, next.anonVma, next) && next.pgoff == pgoff;
}

/**
 * Maps [start, end), which no vma covers, by growing a neighbour (vma_merge_new_range). anonVma: the one that the
 * range's pages have (a copy made by mremap), else 0. Returns the vma that now holds the range, or null: make one.
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
  if (flags & VM_SPECIAL) return vmaAt(0);
  const left = mergesAfter(prev, start, flags, pgoff, file, anonVma);
  let right = mergesBefore(next, end, flags, pgoff + ((end - start) >> 12), file, anonVma);
  if (left && right) right = anonVmasAgree(prev.anonVma, next.anonVma, vmaAt(0));
  if (left && right) {
    if (!adoptAnonVma(prev, next)) return vmaAt(0);
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
  return vmaAt(0);
}

/** Merges [start, end) of a vma, whose flags become `flags`, with what adjoins it; null if it does not. */
function mergeExisting(mm: Mm, vma: Vma, start: u64, end: u64, flags: u32): Vma {
  const none = vmaAt(0);
  if (flags & VM_SPECIAL) return none;
  const prev = start == vma.start ? vmaAt(vma.prev) : none;
  const next = end == vma.end ? vmaAt(vma.next) : none;
  const left = mergesAfter(prev, start, flags, pgoffOf(vma, start), vma.file, vma.anonVma);
  let right = mergesBefore(next, end, flags, pgoffOf(vma, end), vma.file, vma.anonVma);
  if (left && right) right = anonVmasAgree(prev.anonVma, next.anonVma, none);
  if (!left && !right) return none;
  if (left) {
    if (!adoptAnonVma(prev, right && next.anonVma ? next : vma)) return none;
    const until = right ? next.end : end;
    if (end == vma.end) vmaDestroy(mm, vma);
    else setRange(vma, end, vma.end, pgoffOf(vma, end));
    if (right) vmaDestroy(mm, next);
    setRange(prev, prev.start, until, prev.pgoff);
    return prev;
  }
  if (!adoptAnonVma(next, vma)) return none;
  const pgoff = pgoffOf(vma, start);
  if (start == vma.start) vmaDestroy(mm, vma);
  else setRange(vma, vma.start, start, vma.pgoff);
  setRange(next, start, next.end, pgoff);
  return next;
}

/**
 * vma_modify_flags: gives [start, end) of a vma new flags, merging with its neighbours or splitting as needed. Returns
 * the vma that holds the range afterwards, or null when a table is full (splits made so far stay; flags are as before).
 */
export function vmaModify(mm: Mm, vma: Vma, start: u64, end: u64, flags: u32): Vma {
  const merged = mergeExisting(mm, vma, start, end, flags);
  if (exists(merged)) return merged;
  if (vma.start < start && !vmaSplit(mm, vma, start, true)) return vmaAt(0);
  if (vma.end > end && !vmaSplit(mm, vma, end, false)) return vmaAt(0);
  vma.flags = flags;
  return vma;
}
