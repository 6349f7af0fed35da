// mremap: shrinking, growing and moving a mapping. A move takes all entries along: pages, device entries and
// the zero page change their address and nothing else.

import { HDR_RESULT } from "../../abi/header";
import { RESOURCE_VMA } from "../../abi/pool";
import { REQUEST } from "../../abi/request";
import { EFAULT, EINVAL, ENOMEM } from "../../uapi/errno";
import { MMU_NOTIFY_UNMAP } from "../../uapi/event";
import { PAGE_SIZE, PMD_SIZE } from "../../uapi/page";
import {
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  VM_DONTEXPAND,
  VM_HUGETLB,
  VM_LOCKED,
  VM_MAYSHARE,
  VM_PFNMAP,
  VM_SHARED,
  VM_UFFD_MISSING,
} from "../../uapi/vm";
import { populateLocked } from "../access/populate";
import { mremapMovesSeveral } from "../base/rules";
import { exhausted, setHeaderF64 } from "../base/layout";
import { exists } from "../base/object";
import { poolLeft } from "../base/pool";
import { breakKsm } from "../ksm/ksm";
import { notifyEnd, notifyStart } from "../operation/notify";
import { cutsHugetlb, splitMapping } from "../operation/split";
import { vmaAdd, vmaMergeNew } from "../space/merge";
import { Mm, mmAt } from "../space/mm";
import { anonVmaClone, unlinkAnonVmas } from "../space/anon-vma";
import { findVmaFrom, isAnonymous, pgoffOf, Vma, vmaAlloc, vmaAt, vmaFree, vmaLookup } from "../space/vma";
import { HUGE_MASK } from "../table/huge";
import {
  isHuge,
  leafTable,
  makePmdTable,
  moveLeaf,
  slotOf,
  slotsEnd,
  spanEnd,
  USER_END,
  walkAlloc,
} from "../table/pagetable";
import { findGap } from "./mmap";
import { beginSeveral, checkTarget, MremapCmd, nextMapping, PHASE_CLEAR_TARGET } from "./mremap-range";
import { freeTablesOfGap, unmapRange } from "./unmap";

/** cmd.phase of OP_MREMAP: what is next. 1 is PHASE_CLEAR_TARGET. */
const PHASE_CHECK: u32 = 0;
const PHASE_SHRINK: u32 = 2;
const PHASE_PREPARE: u32 = 3;
const PHASE_MOVE: u32 = 4;
const PHASE_UNMAP_OLD: u32 = 5;
const PHASE_POPULATE: u32 = 6;
const PHASE_DONE: u32 = 7;

/** OP_MREMAP: runs the phases. HDR_RESULT is the new address. */
export function mremapStep(cmd: MremapCmd): i32 {
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
        result = cmd.oldLength ? unmapRange(cmd, cmd.oldAddr, cmd.oldAddr + cmd.oldLength) : 0;
        // Where no vma is left for a split, the old mapping stays, without pages: those have moved.
        if (result == -ENOMEM) result = 0;
        if (!result) cmd.phase = cmd.locked ? PHASE_POPULATE : PHASE_DONE;
        break;
      case PHASE_POPULATE:
        result = populateGrowth(cmd);
        break;
      default:
        if (cmd.several && nextMapping(cmd, mm)) continue;
        setHeaderF64(HDR_RESULT, cmd.several ? cmd.rangeTo : cmd.newAddr);
        return 0;
    }
    if (result) return result;
  }
}

/** The mapping is as it should be, at addr. */
function finish(cmd: MremapCmd, addr: u64): i32 {
  cmd.newAddr = addr;
  cmd.phase = PHASE_DONE;
  return 0;
}

/** Checks the arguments. 0 or a negative errno. */
function check(cmd: MremapCmd, mm: Mm): i32 {
  const flags = cmd.flags;
  if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) return -EINVAL;
  if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(flags & MREMAP_MAYMOVE)) return -EINVAL;
  if (flags & MREMAP_DONTUNMAP && cmd.oldLength != cmd.newLength) return -EINVAL;
  if (!cmd.newLength) return -EINVAL;
  if (mremapMovesSeveral()) {
    const refused = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) ? checkTarget(cmd) : 0;
    if (refused) return refused;
    const several = (flags & MREMAP_FIXED) != 0 && cmd.oldLength == cmd.newLength;
    if (several) return beginSeveral(cmd, mm);
  }
  const vma = vmaLookup(mm, cmd.oldAddr);
  if (!exists(vma)) return -EFAULT;
  if (vma.flags & VM_HUGETLB) {
    cmd.oldLength = (cmd.oldLength + HUGE_MASK) & ~HUGE_MASK;
    cmd.newLength = (cmd.newLength + HUGE_MASK) & ~HUGE_MASK;
    if (cutsHugetlb(vma, cmd.oldAddr | cmd.newAddr) || cmd.newLength > cmd.oldLength) return -EINVAL;
  }
  if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
    const refused = checkTarget(cmd);
    if (refused) return refused;
    cmd.phase = flags & MREMAP_FIXED ? PHASE_CLEAR_TARGET : PHASE_SHRINK;
  } else {
    cmd.phase = PHASE_SHRINK;
  }
  return 0;
}

/** Unmaps what MREMAP_FIXED replaces. 0, REQUEST or a negative errno. */
function clearTarget(cmd: MremapCmd): i32 {
  const result = unmapRange(cmd, cmd.newAddr, cmd.newAddr + cmd.newLength);
  if (!result) cmd.phase = PHASE_SHRINK;
  return result;
}

/** Unmaps what the new length leaves out. 0, REQUEST or a negative errno. */
function shrink(cmd: MremapCmd): i32 {
  if (cmd.oldLength > cmd.newLength) {
    const result = unmapRange(cmd, cmd.oldAddr + cmd.newLength, cmd.oldAddr + cmd.oldLength);
    if (result) return result;
    cmd.oldLength = cmd.newLength;
  }
  if (!(cmd.flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && cmd.oldLength == cmd.newLength)
    return finish(cmd, cmd.oldAddr);
  cmd.phase = PHASE_PREPARE;
  return 0;
}

/** vma_to_resize: may the old range, which begins in this vma, get the new length? 0 or a negative errno. */
function resizable(cmd: MremapCmd, vma: Vma): i32 {
  if (!exists(vma)) return -EFAULT;
  // With an old length of 0 a second mapping of the same pages is made, which only shared memory can have.
  if (!cmd.oldLength && !(vma.flags & (VM_SHARED | VM_MAYSHARE))) return -EINVAL;
  if (cmd.flags & MREMAP_DONTUNMAP && vma.flags & (VM_DONTEXPAND | VM_PFNMAP)) return -EINVAL;
  if (cmd.oldLength > vma.end - cmd.oldAddr) return -EFAULT;
  if (cmd.newLength > cmd.oldLength && vma.flags & (VM_DONTEXPAND | VM_PFNMAP)) return -EFAULT;
  return 0;
}

/** Grows the mapping in place if there is room, else goes on to move it if that is allowed. */
function growOrMove(cmd: MremapCmd, mm: Mm): i32 {
  const vma = vmaLookup(mm, cmd.oldAddr);
  const refused = resizable(cmd, vma);
  if (refused) return refused;
  const end = cmd.oldAddr + cmd.newLength;
  const next = vmaAt(vma.next);
  if (vma.end == cmd.oldAddr + cmd.oldLength && end <= USER_END && (!exists(next) || next.start >= end)) {
    const from = vma.end;
    const grown = vmaMergeNew(vma, next, from, end, vma.flags, pgoffOf(vma, from), vma.file, vma.anonVma);
    if (!exists(grown)) return -ENOMEM;
    cmd.newAddr = cmd.oldAddr;
    if (!(grown.flags & VM_LOCKED)) return finish(cmd, cmd.oldAddr);
    mm.lockedPages += <u32>((end - from) >> 12);
    cmd.phase = PHASE_POPULATE;
    return 0;
  }
  if (!(cmd.flags & MREMAP_MAYMOVE)) return -ENOMEM;
  return prepareMove(cmd, mm);
}

/** Makes the mapping at the new address, and every table that the move needs: afterwards it cannot fail. */
function prepareMove(cmd: MremapCmd, mm: Mm): i32 {
  const vma = vmaLookup(mm, cmd.oldAddr);
  const refused = resizable(cmd, vma);
  if (refused) return refused;
  // The reverse map finds KSM pages by their addresses: they are unshared, not moved.
  const broken = breakKsm(cmd, vma, cmd.oldAddr, cmd.oldAddr + cmd.oldLength);
  if (broken) return broken;
  // The copy and two splits of the old mapping need vmas: refuse now rather than fail half done.
  if (poolLeft(RESOURCE_VMA) < 3) {
    exhausted(RESOURCE_VMA);
    return -ENOMEM;
  }
  if (!(cmd.flags & MREMAP_FIXED)) cmd.newAddr = findGap(mm, cmd.newAddr, cmd.newLength, PAGE_SIZE);
  if (!cmd.newAddr) return -ENOMEM;
  cmd.locked = vma.flags & VM_LOCKED;
  const made = makeTables(mm, cmd.mm, cmd.oldAddr, cmd.oldAddr + cmd.oldLength, cmd.newAddr);
  if (!made || !exists(copyVma(mm, vma, cmd.oldAddr, cmd.newAddr, cmd.newLength))) {
    freeTablesOfGap(mm, cmd.newAddr, cmd.newAddr + cmd.newLength);
    return -ENOMEM;
  }
  cmd.phase = cmd.oldLength ? PHASE_MOVE : PHASE_UNMAP_OLD;
  return 0;
}

/**
 * copy_vma: maps `length` bytes at `to` with the properties that vma has at `from`. Null when a table is
 * full.
 */
function copyVma(mm: Mm, vma: Vma, from: u64, to: u64, length: u64): Vma {
  // Memory that was never faulted takes the page offset of its new place, so that it can merge there.
  const pgoff = isAnonymous(vma) && !vma.anonVma ? to >> 12 : pgoffOf(vma, from);
  const next = findVmaFrom(mm, to);
  const prev = exists(next) ? vmaAt(next.prev) : vmaAt(mm.vmaLast);
  // Memory that moves is no longer registered with userfaultfd.
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

/** Makes the tables at `to` that the entries of [start, end) need. False when tables run out. */
function makeTables(mm: Mm, mmId: u32, start: u64, end: u64, to: u64): bool {
  let next = start;
  while (next < end) {
    const addr = next;
    const table = leafTable(mm.pgd, addr);
    next = spanEnd(mm.pgd, table, addr, end);
    if (!table) continue;
    const target = to + (addr - start);
    if (movesWhole(addr, end, target)) {
      if (!makePmdTable(mm.pgd, mmId, target)) return false;
      continue;
    }
    if (!walkAlloc(mm.pgd, mmId, target)) return false;
    if (!walkAlloc(mm.pgd, mmId, to + (next - 1 - start))) return false;
  }
  return true;
}

/** move_page_tables: moves the entries of [start, end) to `to`, where makeTables() has made their tables. */
function moveEntries(mm: Mm, start: u64, end: u64, to: u64): void {
  let next = start;
  while (next < end) {
    const addr = next;
    const table = leafTable(mm.pgd, addr);
    next = spanEnd(mm.pgd, table, addr, end);
    if (!table) continue;
    if (movesWhole(addr, end, to + (addr - start))) {
      moveLeaf(mm.pgd, addr, to + (addr - start));
      continue;
    }
    let target = to + (addr - start);
    const last = slotsEnd(table, addr, next);
    for (let at = slotOf(table, addr); at < last; at += 8, target += PAGE_SIZE) {
      const pte = load<u64>(at);
      if (!pte) continue;
      store<u64>(at, 0);
      store<u64>(slotOf(leafTable(mm.pgd, target), target), pte);
    }
  }
}

/** May the leaf table of addr move as a whole: do old and new address both begin 2 MiB? */
@inline
function movesWhole(addr: u64, end: u64, to: u64): bool {
  return ((addr | to) & HUGE_MASK) == 0 && addr + PMD_SIZE <= end;
}

/** Splits the huge mappings whose leaf tables cannot move as a whole. 0 or REQUEST. */
function splitUnaligned(cmd: MremapCmd, vma: Vma, start: u64, end: u64, to: u64): i32 {
  const pgd = vma.mm.pgd;
  let next = start;
  while (next < end) {
    const addr = next;
    const table = leafTable(pgd, addr);
    next = spanEnd(pgd, table, addr, end);
    if (!table || !isHuge(table) || movesWhole(addr, end, to + (addr - start))) continue;
    if (splitMapping(cmd, vma, addr) == REQUEST) return REQUEST;
  }
  return 0;
}

/** move_vma: moves the entries, announced as `unmap` of the old range. 0 or REQUEST. */
function move(cmd: MremapCmd, mm: Mm): i32 {
  const end = cmd.oldAddr + cmd.oldLength;
  if (!notifyStart(cmd, cmd.mm, cmd.oldAddr, end, MMU_NOTIFY_UNMAP, 0)) return REQUEST;
  if (splitUnaligned(cmd, vmaLookup(mm, cmd.oldAddr), cmd.oldAddr, end, cmd.newAddr) == REQUEST)
    return REQUEST;
  moveEntries(mm, cmd.oldAddr, end, cmd.newAddr);
  notifyEnd(cmd);
  const vma = vmaLookup(mm, cmd.oldAddr);
  const copy = vmaLookup(mm, cmd.newAddr);
  if (cmd.flags & MREMAP_DONTUNMAP) {
    if (vma.flags & VM_LOCKED) mm.lockedPages -= <u32>vma.pages;
    vma.flags &= ~VM_LOCKED;
    if (copy.ptr != vma.ptr && vma.start == cmd.oldAddr && vma.end == end) unlinkAnonVmas(vma);
    cmd.phase = cmd.locked ? PHASE_POPULATE : PHASE_DONE;
  } else {
    cmd.phase = PHASE_UNMAP_OLD;
  }
  return 0;
}

/** Populates what a locked mapping grew by; what cannot be populated stays absent, as in mm_populate. */
function populateGrowth(cmd: MremapCmd): i32 {
  const start = cmd.newAddr + cmd.oldLength;
  if (populateLocked(cmd, start, cmd.newAddr + cmd.newLength) == REQUEST) return REQUEST;
  cmd.phase = PHASE_DONE;
  return 0;
}
