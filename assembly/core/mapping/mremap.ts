// mremap: shrinking, growing and moving a mapping. A move takes the entries along, whatever they are: pages, device
// entries and the zero page change their address and nothing else.

import { EFAULT, EINVAL, ENOMEM } from "../../uapi/errno";
import { REQUEST } from "../../abi/request";
import { MMU_NOTIFY_UNMAP } from "../../uapi/event";
import { PAGE_SIZE, PMD_SIZE } from "../../uapi/page";
import { HDR_RESULT, TABLE_VMA } from "../../abi/struct";
import {
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  VM_DONTEXPAND,
  VM_HUGETLB,
  VM_LOCKED,
  VM_PFNMAP,
  VM_UFFD_MISSING,
} from "../../uapi/vm";
import { populateLocked } from "../access/populate";
import { exhausted, setHeaderF64 } from "../base/layout";
import { exists } from "../base/object";
import { poolLeft } from "../base/pool";
import { breakKsm } from "../ksm/ksm";
import { Cmd } from "../operation/cmd";
import { notifyEnd, notifyStart } from "../operation/notify";
import { cutsHugetlb, splitMapping } from "../operation/split";
import { vmaAdd, vmaMergeNew } from "../space/merge";
import { Mm, mmAt } from "../space/mm";
import { anonVmaClone, unlinkAnonVmas } from "../space/anon-vma";
import { findVmaFrom, isAnonymous, pgoffOf, Vma, vmaAlloc, vmaAt, vmaFree, vmaLookup } from "../space/vma";
import { freeUnusedTables } from "../space/zap";
import { HUGE_MASK } from "../table/huge";
import {
  holeEnd,
  isHuge,
  leafEnd,
  leafTable,
  makePmdTable,
  moveLeaf,
  slotOf,
  SPACE_END,
  USER_END,
  USER_START,
  walk,
  walkAlloc,
} from "../table/pagetable";
import { findGap } from "./mmap";
import { unmapRange } from "./unmap";

const PHASE_CHECK: u32 = 0;
const PHASE_CLEAR_TARGET: u32 = 1;
const PHASE_SHRINK: u32 = 2;
const PHASE_PREPARE: u32 = 3;
const PHASE_MOVE: u32 = 4;
const PHASE_UNMAP_OLD: u32 = 5;
const PHASE_POPULATE: u32 = 6;

/** OP_MREMAP: start: old address; end: old length; cursor: new length; target: new address; flags: MREMAP_*. */
export function mremapStep(cmd: Cmd): i32 {
  const mm = mmAt(cmd.mm);
  while (true) {
    let result: i32;
    switch (cmd.phase) {
      case PHASE_CHECK:
        result = check(cmd, mm);
        break;
      case PHASE_CLEAR_TARGET:
        result = clearTarget(cmd);
        break;
      case PHASE_SHRINK:
        result = shrink(cmd);
        break;
      case PHASE_PREPARE:
        result = cmd.flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) ? prepareMove(cmd, mm) : growOrMove(cmd, mm);
        break;
      case PHASE_MOVE:
        result = move(cmd, mm);
        break;
      case PHASE_UNMAP_OLD:
        result = unmapRange(cmd, cmd.start, cmd.start + cmd.end);
        // What cannot be split off stays, empty: the pages have moved.
        if (result == -ENOMEM) result = 0;
        if (!result) cmd.phase = cmd.a ? PHASE_POPULATE : PHASE_POPULATE + 1;
        break;
      case PHASE_POPULATE:
        result = populateGrowth(cmd);
        break;
      default:
        setHeaderF64(HDR_RESULT, cmd.target);
        return 0;
    }
    if (result) return result;
  }
}

function finish(cmd: Cmd, addr: u64): i32 {
  cmd.target = addr;
  cmd.phase = PHASE_POPULATE + 1;
  return 0;
}

function check(cmd: Cmd, mm: Mm): i32 {
  const flags = cmd.flags;
  if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) return -EINVAL;
  if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(flags & MREMAP_MAYMOVE)) return -EINVAL;
  if (flags & MREMAP_DONTUNMAP && cmd.end != cmd.cursor) return -EINVAL;
  if (!cmd.cursor) return -EINVAL;
  const vma = vmaLookup(mm, cmd.start);
  if (!exists(vma)) return -EFAULT;
  if (vma.flags & VM_HUGETLB) {
    cmd.end = (cmd.end + HUGE_MASK) & ~HUGE_MASK;
    cmd.cursor = (cmd.cursor + HUGE_MASK) & ~HUGE_MASK;
    if (cutsHugetlb(vma, cmd.start | cmd.target) || cmd.cursor > cmd.end) return -EINVAL;
  }
  if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
    if (cmd.cursor > USER_END || cmd.target > USER_END - cmd.cursor) return -EINVAL;
    if (cmd.start + cmd.end > cmd.target && cmd.target + cmd.cursor > cmd.start) return -EINVAL;
    if (flags & MREMAP_FIXED && cmd.target < USER_START) return -EINVAL;
    cmd.phase = flags & MREMAP_FIXED ? PHASE_CLEAR_TARGET : PHASE_SHRINK;
  } else {
    cmd.phase = PHASE_SHRINK;
  }
  return 0;
}

function clearTarget(cmd: Cmd): i32 {
  const result = unmapRange(cmd, cmd.target, cmd.target + cmd.cursor);
  if (!result) cmd.phase = PHASE_SHRINK;
  return result;
}

/** Unmaps what the new length leaves behind. */
function shrink(cmd: Cmd): i32 {
  if (cmd.end > cmd.cursor) {
    const result = unmapRange(cmd, cmd.start + cmd.cursor, cmd.start + cmd.end);
    if (result) return result;
    cmd.end = cmd.cursor;
  }
  if (!(cmd.flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && cmd.end == cmd.cursor)
    return finish(cmd, cmd.start);
  cmd.phase = PHASE_PREPARE;
  return 0;
}

/** vma_to_resize: may [start, start + old length) of this vma become as long as asked? */
function resizable(cmd: Cmd, vma: Vma): i32 {
  if (!exists(vma)) return -EFAULT;
  // A second mapping of the same pages is for shared memory.
  if (!cmd.end) return -EINVAL;
  if (cmd.flags & MREMAP_DONTUNMAP && vma.flags & (VM_DONTEXPAND | VM_PFNMAP)) return -EINVAL;
  if (cmd.end > vma.end - cmd.start) return -EFAULT;
  if (cmd.cursor > cmd.end && vma.flags & (VM_DONTEXPAND | VM_PFNMAP)) return -EFAULT;
  return 0;
}

/** Grows in place where there is room, else moves if that is allowed. */
function growOrMove(cmd: Cmd, mm: Mm): i32 {
  const vma = vmaLookup(mm, cmd.start);
  const refused = resizable(cmd, vma);
  if (refused) return refused;
  const end = cmd.start + cmd.cursor;
  const next = vmaAt(vma.next);
  if (vma.end == cmd.start + cmd.end && end <= USER_END && (!exists(next) || next.start >= end)) {
    const from = vma.end;
    const grown = vmaMergeNew(vma, next, from, end, vma.flags, pgoffOf(vma, from), vma.file, vma.anonVma);
    if (!exists(grown)) return -ENOMEM;
    cmd.target = cmd.start;
    if (!(grown.flags & VM_LOCKED)) return finish(cmd, cmd.start);
    mm.lockedPages += <u32>((end - from) >> 12);
    cmd.phase = PHASE_POPULATE;
    return 0;
  }
  if (!(cmd.flags & MREMAP_MAYMOVE)) return -ENOMEM;
  return prepareMove(cmd, mm);
}

/** Makes the mapping at the new address, and every table that the move will need. Nothing has moved yet. */
function prepareMove(cmd: Cmd, mm: Mm): i32 {
  const vma = vmaLookup(mm, cmd.start);
  const refused = resizable(cmd, vma);
  if (refused) return refused;
  // KSM pages are told apart by their addresses: none may move.
  const broken = breakKsm(cmd, vma, cmd.start, cmd.start + cmd.end);
  if (broken) return broken;
  // The copy, and two splits of the old mapping: refused now, not half done later.
  if (poolLeft(TABLE_VMA) < 3) {
    exhausted(TABLE_VMA);
    return -ENOMEM;
  }
  if (!(cmd.flags & MREMAP_FIXED)) cmd.target = findGap(mm, cmd.target, cmd.cursor, PAGE_SIZE);
  if (!cmd.target) return -ENOMEM;
  const made = makeTables(mm, cmd.mm, cmd.start, cmd.start + cmd.end, cmd.target);
  if (!made || !exists(copyVma(mm, vma, cmd.start, cmd.target, cmd.cursor))) {
    const next = findVmaFrom(mm, cmd.target);
    const prev = exists(next) ? vmaAt(next.prev) : vmaAt(mm.vmaLast);
    const floor = exists(prev) ? prev.end : 0;
    freeUnusedTables(mm, cmd.target, cmd.target + cmd.cursor, floor, exists(next) ? next.start : SPACE_END);
    return -ENOMEM;
  }
  cmd.phase = PHASE_MOVE;
  return 0;
}

/** copy_vma: a mapping of `length` bytes at `to`, with the properties of vma at `from`. */
function copyVma(mm: Mm, vma: Vma, from: u64, to: u64, length: u64): Vma {
  // Memory that was never faulted takes the page offset of its new place, so that it can merge there.
  const pgoff = isAnonymous(vma) && !vma.anonVma ? to >> 12 : pgoffOf(vma, from);
  const next = findVmaFrom(mm, to);
  const prev = exists(next) ? vmaAt(next.prev) : vmaAt(mm.vmaLast);
  // Memory that moves leaves its userfaultfd.
  const flags = vma.flags & ~VM_UFFD_MISSING;
  let copy = vmaMergeNew(prev, next, to, to + length, flags, pgoff, vma.file, vma.anonVma);
  if (!exists(copy)) {
    copy = vmaAlloc(mm, to, to + length, flags, pgoff, vma.file);
    if (!exists(copy)) return copy;
    copy.anonVma = vma.anonVma;
    if (!anonVmaClone(copy, vma)) {
      vmaFree(copy);
      return vmaAt(0);
    }
    vmaAdd(mm, copy);
  }
  if (copy.flags & VM_LOCKED) mm.lockedPages += <u32>(length >> 12);
  return copy;
}

/** Leaf tables for [to, …) wherever [start, end) has one. */
function makeTables(mm: Mm, mmId: u32, start: u64, end: u64, to: u64): bool {
  let addr = start;
  while (addr < end) {
    if (!leafTable(mm.pgd, addr)) {
      addr = holeEnd(mm.pgd, addr);
      continue;
    }
    const until = leafEnd(addr, end);
    if (movesWhole(addr, end, to + (addr - start))) {
      if (!makePmdTable(mm.pgd, mmId, to + (addr - start))) return false;
      addr = until;
      continue;
    }
    if (!walkAlloc(mm.pgd, mmId, to + (addr - start))) return false;
    if (!walkAlloc(mm.pgd, mmId, to + (until - 1 - start))) return false;
    addr = until;
  }
  return true;
}

function moveEntries(mm: Mm, start: u64, end: u64, to: u64): void {
  let addr = start;
  while (addr < end) {
    const table = leafTable(mm.pgd, addr);
    if (!table) {
      addr = holeEnd(mm.pgd, addr);
      continue;
    }
    const until = leafEnd(addr, end);
    if (movesWhole(addr, end, to + (addr - start))) {
      moveLeaf(mm.pgd, addr, to + (addr - start));
      addr = until;
      continue;
    }
    for (; addr < until; addr += PAGE_SIZE) {
      const at = slotOf(table, addr);
      const pte = load<u64>(at);
      if (!pte) continue;
      store<u64>(at, 0);
      store<u64>(walk(mm.pgd, to + (addr - start)), pte);
    }
  }
}

/** May the whole leaf table of addr move: 2 MiB of old and new addresses that are aligned alike? */
@inline
function movesWhole(addr: u64, end: u64, to: u64): bool {
  return ((addr | to) & HUGE_MASK) == 0 && addr + PMD_SIZE <= end;
}

/** Splits the huge mappings that cannot move as they are. 0 or REQUEST. */
function splitUnaligned(cmd: Cmd, vma: Vma, start: u64, end: u64, to: u64): i32 {
  for (let addr = start; addr < end; addr = leafEnd(addr, end)) {
    const table = leafTable(vma.mm.pgd, addr);
    if (!table || !isHuge(table) || movesWhole(addr, end, to + (addr - start))) continue;
    if (splitMapping(cmd, vma, addr) == REQUEST) return REQUEST;
  }
  return 0;
}

function move(cmd: Cmd, mm: Mm): i32 {
  const end = cmd.start + cmd.end;
  if (!notifyStart(cmd, cmd.mm, cmd.start, end, MMU_NOTIFY_UNMAP, 0)) return REQUEST;
  if (splitUnaligned(cmd, vmaLookup(mm, cmd.start), cmd.start, end, cmd.target) == REQUEST) return REQUEST;
  moveEntries(mm, cmd.start, end, cmd.target);
  notifyEnd(cmd);
  const vma = vmaLookup(mm, cmd.start);
  const copy = vmaLookup(mm, cmd.target);
  cmd.a = copy.flags & VM_LOCKED;
  if (cmd.flags & MREMAP_DONTUNMAP) {
    if (vma.flags & VM_LOCKED) mm.lockedPages -= <u32>vma.pages;
    vma.flags &= ~VM_LOCKED;
    if (copy.ptr != vma.ptr && vma.start == cmd.start && vma.end == end) unlinkAnonVmas(vma);
    cmd.phase = cmd.a ? PHASE_POPULATE : PHASE_POPULATE + 1;
  } else {
    cmd.phase = PHASE_UNMAP_OLD;
  }
  return 0;
}

/** A locked mapping that grew is populated; what cannot be stays unpopulated, as in mm_populate. */
function populateGrowth(cmd: Cmd): i32 {
  const oldLength = cmd.end;
  const newLength = cmd.cursor;
  cmd.cursor = max(cmd.unmapCursor, cmd.target + oldLength);
  cmd.end = cmd.target + newLength;
  const result = populateLocked(cmd);
  cmd.unmapCursor = cmd.cursor;
  cmd.cursor = newLength;
  cmd.end = oldLength;
  if (result == REQUEST) return REQUEST;
  cmd.phase = PHASE_POPULATE + 1;
  return 0;
}
