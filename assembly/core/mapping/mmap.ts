// mmap, mlock and mincore.

import { EEXIST, EINVAL, ENOMEM } from "../../uapi/errno";
import { MAP_FILE_MIXED } from "../../abi/argument";
import { HDR_HUGETLB_FREE, HDR_RESULT, HDR_ZERO_PFN } from "../../abi/header";
import { LOG_MMAP } from "../../abi/log";
import { FILE_SHMEM } from "../../abi/object";
import { RESOURCE_ADDRESS_SPACE, RESOURCE_HUGETLB } from "../../abi/pool";
import { REQUEST } from "../../abi/request";
import { PAGE_SIZE, PMD_SHIFT, PMD_SIZE } from "../../uapi/page";
import { PTE_KIND_SWAP, PTE_PRESENT, PTE_SPECIAL, PTE_WRITE } from "../../uapi/pte";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_HUGETLB,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  VM_ACCESS,
  VM_ACCOUNT,
  VM_DONTEXPAND,
  VM_HUGETLB,
  VM_IO,
  VM_LOCKED,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_MIXEDMAP,
  VM_PFNMAP,
  VM_SHARED,
  VM_SPECIAL,
  VM_UFFD_MISSING,
  VM_WRITE,
} from "../../uapi/vm";
import { populateLocked } from "../access/populate";
import { exhausted, header, setHeaderF64 } from "../base/layout";
import { exists } from "../base/object";
import { makePte, pteKind, ptePfn, ptePresent } from "../base/pte";
import { log } from "../base/stat";
import { hugetlbReserved } from "../fault/hugetlb";
import { folioOf } from "../frame/folio";
import { zeroFrame } from "../frame/frame";
import { allocFrame } from "../frame/page-alloc";
import { Cmd } from "../operation/cmd";
import { splitEdges } from "../operation/split";
import { cacheLookup, fileAlloc, fileAt, fileOf, fileRelease } from "../space/file";
import { vmaAdd, vmaDestroy, vmaMergeNew, vmaModify } from "../space/merge";
import { Mm, mmAt, mmOf } from "../space/mm";
import { swapCached } from "../space/swap";
import { findVmaFrom, isAnonymous, pgoffOf, protection, Vma, vmaAlloc, vmaAt, vmaLookup } from "../space/vma";
import { freeUnusedTables, zapRange } from "../space/zap";
import { HUGE_MASK } from "../table/huge";
import { readPte, SPACE_END, USER_END, USER_START, walkAlloc } from "../table/pagetable";
import { unmapRange } from "./unmap";

/** Addresses are handed out from here downwards: the stack's part of the space stays free. */
const MMAP_BASE: u64 = USER_END - 0x7fff000;

/** Nothing mapped in [start, end)? */
function isFree(mm: Mm, start: u64, end: u64): bool {
  const vma = findVmaFrom(mm, start);
  return !exists(vma) || vma.start >= end;
}

/** The highest aligned address with `length` bytes below ceiling; 0 if there are not so many. */
@inline
function below(ceiling: u64, length: u64, align: u64): u64 {
  return ceiling >= length ? (ceiling - length) & ~(align - 1) : 0;
}

/**
 * get_unmapped_area: the hint if it is free, else the highest aligned gap that fits below MMAP_BASE. 0 when there is none.
 */
export function findGap(mm: Mm, hint: u64, length: u64, align: u64): u64 {
  if (hint >= USER_START && hint + length <= USER_END && isFree(mm, hint, hint + length)) return hint;
  let ceiling = MMAP_BASE;
  let vma = vmaAt(mm.vmaLast);
  while (exists(vma)) {
    const at = below(ceiling, length, align);
    if (at >= vma.end) return at;
    ceiling = min(ceiling, vma.start);
    vma = vmaAt(vma.prev);
  }
  const at = below(ceiling, length, align);
  if (at >= USER_START) return at;
  exhausted(RESOURCE_ADDRESS_SPACE);
  return 0;
}

/** Maps [start, end), which is free. False when a table is full. */
export function mapRange(mm: Mm, start: u64, end: u64, flags: u32, pgoff: u64, file: u32): bool {
  const next = findVmaFrom(mm, start);
  const prev = exists(next) ? vmaAt(next.prev) : vmaAt(mm.vmaLast);
  if (exists(vmaMergeNew(prev, next, start, end, flags, pgoff, file, 0))) return true;
  const vma = vmaAlloc(mm, start, end, flags, pgoff, file);
  if (!exists(vma)) return false;
  vmaAdd(mm, vma);
  return true;
}

/** OP_MMAP: start: address or hint; end: length; a: prot; b: flags; cursor: the address chosen. */
export function mmapStep(cmd: Cmd): i32 {
  const mm = mmAt(cmd.mm);
  if (cmd.phase == 0) {
    const refused = chooseAddress(cmd, mm);
    if (refused) return refused;
    cmd.phase = 1;
  }
  if (cmd.phase == 1) {
    if (cmd.b & MAP_FIXED) {
      const result = unmapRange(cmd, cmd.target, cmd.target + cmd.end);
      if (result) return result;
    }
    if (!mapNew(cmd, mm)) return -ENOMEM;
    log(LOG_MMAP, cmd.mm, cmd.target, <u32>min<u64>(cmd.end >> 12, 0xffffffff), 0);
    cmd.phase = 2;
    cmd.cursor = cmd.target;
    cmd.end += cmd.target;
  }
  setHeaderF64(HDR_RESULT, cmd.target);
  if (cmd.b & MAP_POPULATE && populateLocked(cmd) == REQUEST) return REQUEST;
  setHeaderF64(HDR_RESULT, cmd.target);
  return 0;
}

/** The mapping itself, at cmd.target. Shared anonymous memory gets a file of its own. */
function mapNew(cmd: Cmd, mm: Mm): bool {
  const end = cmd.target + cmd.end;
  let flags: u32 = (cmd.a & VM_ACCESS) | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
  const shared = (cmd.b & MAP_SHARED) != 0;
  if (shared) flags |= VM_SHARED | VM_MAYSHARE;
  else if (flags & VM_WRITE) flags |= VM_ACCOUNT;
  if (cmd.b & MAP_HUGETLB) flags |= VM_HUGETLB | VM_DONTEXPAND;
  if (cmd.c >= <u32>MAP_FILE_MIXED) return mapSpecial(cmd, mm, flags);
  if (!(cmd.b & MAP_ANONYMOUS)) return mapRange(mm, cmd.target, end, flags, cmd.unmapCursor, cmd.c);
  if (!shared) return mapRange(mm, cmd.target, end, flags, cmd.target >> 12, 0);
  const file = fileAlloc(FILE_SHMEM, cmd.end);
  if (!exists(file)) return false;
  const mapped = mapRange(mm, cmd.target, end, flags, 0, file.id);
  fileRelease(file);
  return mapped;
}

/** A driver's mapping: its entries are made with it, all or none. */
function mapSpecial(cmd: Cmd, mm: Mm, flags: u32): bool {
  const end = cmd.target + cmd.end;
  const mixed = cmd.c == <u32>MAP_FILE_MIXED;
  const special = mixed ? VM_MIXEDMAP : VM_PFNMAP | VM_IO | VM_DONTEXPAND;
  if (!mapRange(mm, cmd.target, end, flags | special, cmd.target >> 12, 0)) return false;
  const vma = vmaLookup(mm, cmd.target);
  for (let addr = cmd.target; addr < end; addr += PAGE_SIZE) {
    if (insertSpecial(vma, addr, mixed)) continue;
    zapRange(mm, cmd.target, end);
    const gap = vmaAt(vma.next);
    const floor = vma.prev ? vmaAt(vma.prev).end : 0;
    vmaDestroy(mm, vma);
    freeUnusedTables(mm, cmd.target, end, floor, exists(gap) ? gap.start : SPACE_END);
    return false;
  }
  return true;
}

/** vm_insert_page, or one page of remap_pfn_range (of which nobody here can see more than zeros). */
function insertSpecial(vma: Vma, addr: u64, mixed: bool): bool {
  const slot = walkAlloc(vma.mm.pgd, vma.mmId, addr);
  if (!slot) return false;
  const write = (vma.flags & (VM_SHARED | VM_WRITE)) == (VM_SHARED | VM_WRITE) ? PTE_WRITE : 0;
  const flags = (<u32>PTE_PRESENT) | protection(vma);
  if (!mixed) {
    store<u64>(slot, makePte(header(HDR_ZERO_PFN), flags | PTE_SPECIAL));
    return true;
  }
  const pfn = allocFrame(0);
  if (!pfn) return false;
  zeroFrame(pfn);
  folioOf(pfn).maps = 1;
  vma.mm.rssFile++;
  store<u64>(slot, makePte(pfn, flags | write));
  return true;
}

/** Of a hugetlb mapping, whose length is rounded up: private, aligned where it is fixed, and in the pool. 0 or an errno. */
function checkHugetlb(cmd: Cmd): i32 {
  if (cmd.b & MAP_SHARED || !(cmd.b & MAP_ANONYMOUS)) return -EINVAL;
  if (cmd.b & (MAP_FIXED | MAP_FIXED_NOREPLACE) && cmd.start & HUGE_MASK) return -EINVAL;
  cmd.end = (cmd.end + HUGE_MASK) & ~HUGE_MASK;
  if ((cmd.end >> PMD_SHIFT) + hugetlbReserved() <= <u64>header(HDR_HUGETLB_FREE)) return 0;
  exhausted(RESOURCE_HUGETLB);
  return -ENOMEM;
}

/** Checks the arguments and sets cmd.target. */
function chooseAddress(cmd: Cmd, mm: Mm): i32 {
  const kind = cmd.b & (MAP_SHARED | MAP_PRIVATE);
  if (!cmd.end || (kind != MAP_SHARED && kind != MAP_PRIVATE) || cmd.a & ~VM_ACCESS) return -EINVAL;
  if (!(cmd.b & MAP_ANONYMOUS) && cmd.c < <u32>MAP_FILE_MIXED && !exists(fileOf(cmd.c))) return -EINVAL;
  if (cmd.end > USER_END) return -ENOMEM;
  if (cmd.b & MAP_HUGETLB) {
    const refused = checkHugetlb(cmd);
    if (refused) return refused;
  }
  const length = cmd.end;
  if (cmd.b & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
    if (cmd.start & (PAGE_SIZE - 1)) return -EINVAL;
    if (cmd.start > USER_END - length) return -ENOMEM;
    if (cmd.start < USER_START) return -EINVAL;
    if (cmd.b & MAP_FIXED_NOREPLACE && !isFree(mm, cmd.start, cmd.start + length)) return -EEXIST;
    cmd.target = cmd.start;
    return 0;
  }
  const align: u64 = cmd.b & MAP_HUGETLB ? PMD_SIZE : PAGE_SIZE;
  cmd.target = findGap(mm, cmd.start & ~(align - 1), length, align);
  return cmd.target ? 0 : -ENOMEM;
}

/** OP_MLOCK: [start, end); a: 1 lock, 0 unlock. */
export function mlockStep(cmd: Cmd): i32 {
  const mm = mmAt(cmd.mm);
  if (cmd.phase == 0) {
    const result = setLocked(cmd, mm);
    if (result || !cmd.a) return result;
    cmd.phase = 1;
    cmd.cursor = cmd.start;
  }
  return populateLocked(cmd);
}

/** apply_vma_lock_flags over [cmd.cursor, cmd.end). 0, a negative errno or REQUEST. */
function setLocked(cmd: Cmd, mm: Mm): i32 {
  const lock = cmd.a != 0;
  let vma = vmaLookup(mm, cmd.cursor);
  while (cmd.cursor < cmd.end) {
    const addr = cmd.cursor;
    if (!exists(vma) || vma.start > addr) return -ENOMEM;
    const until = min(vma.end, cmd.end);
    const flags = lock ? vma.flags | VM_LOCKED : vma.flags & ~VM_LOCKED;
    if (flags != vma.flags && !(vma.flags & VM_SPECIAL)) {
      if (splitEdges(cmd, vma, addr, until) == REQUEST) return REQUEST;
      cmd.edges = 0;
      vma = vmaModify(mm, vma, addr, until, flags);
      if (!exists(vma)) return -ENOMEM;
      mm.lockedPages += <u32>((until - addr) >> 12) * (lock ? 1 : -1);
    }
    cmd.cursor = until;
    vma = findVmaFrom(mm, until);
  }
  return 0;
}

/** Of swapped pages those that the swap cache has are resident; whatever else an entry names is. */
function isResident(pte: u64): bool {
  return pteKind(pte) == PTE_KIND_SWAP && !ptePresent(pte) ? swapCached(ptePfn(pte)) != 0 : pte != 0;
}

export function mincore(mmId: u32, addr: f64, length: f64, out: usize): i32 {
  const mm = mmOf(mmId);
  if (!exists(mm)) return -EINVAL;
  let at = <u64>addr;
  const end = at + <u64>length;
  for (; at < end; at += PAGE_SIZE, out++) {
    const vma = vmaLookup(mm, at);
    if (!exists(vma)) return -ENOMEM;
    // Of a file that is not mapped there, what the cache has is resident.
    const cached = vma.file != 0 && cacheLookup(fileAt(vma.file), pgoffOf(vma, at)) != 0;
    store<u8>(out, cached || isResident(readPte(mm.pgd, at)));
  }
  return 0;
}

/** OP_UFFD: UFFDIO_REGISTER (missing) or, with a = 0, UFFDIO_UNREGISTER over [start, end). -EINVAL: not anonymous, holes. */
export function uffdStep(cmd: Cmd): i32 {
  const mm = mmAt(cmd.mm);
  if (cmd.phase == 0) {
    for (let at = cmd.start; at < cmd.end;) {
      const vma = vmaLookup(mm, at);
      if (!exists(vma) || !isAnonymous(vma)) return -EINVAL;
      at = vma.end;
    }
    cmd.phase = 1;
  }
  while (cmd.cursor < cmd.end) {
    const vma = vmaLookup(mm, cmd.cursor);
    const until = min(vma.end, cmd.end);
    const flags = cmd.a ? vma.flags | VM_UFFD_MISSING : vma.flags & ~VM_UFFD_MISSING;
    if (flags != vma.flags) {
      if (splitEdges(cmd, vma, cmd.cursor, until) == REQUEST) return REQUEST;
      cmd.edges = 0;
      if (!exists(vmaModify(mm, vma, cmd.cursor, until, flags))) return -ENOMEM;
    }
    cmd.cursor = until;
  }
  return 0;
}
