// mmap: choosing an address and making the mapping.

import { MAP_FILE_MIXED } from "../../abi/argument";
import { COMMAND_SIZE, HDR_HUGETLB_FREE, HDR_RESULT, HDR_ZERO_PFN } from "../../abi/header";
import { LOG_MMAP } from "../../abi/log";
import { FILE_SHMEM } from "../../abi/object";
import { RESOURCE_ADDRESS_SPACE, RESOURCE_HUGETLB } from "../../abi/pool";
import { REQUEST } from "../../abi/request";
import { EEXIST, EINVAL, ENOMEM } from "../../uapi/errno";
import { PAGE_SIZE, PMD_SHIFT, PMD_SIZE } from "../../uapi/page";
import { PTE_PRESENT, PTE_SPECIAL, PTE_WRITE } from "../../uapi/pte";
import {
  MAP_ANONYMOUS,
  MAP_DENYWRITE,
  MAP_EXECUTABLE,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_GROWSDOWN,
  MAP_HUGE_2MB,
  MAP_HUGETLB,
  MAP_LOCKED,
  MAP_NONBLOCK,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_STACK,
  VM_ACCESS,
  VM_ACCOUNT,
  VM_DONTEXPAND,
  VM_GROWSDOWN,
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
  VM_WRITE,
} from "../../uapi/vm";
import { populateLocked } from "../access/populate";
import { exhausted, header, setHeaderF64 } from "../base/layout";
import { exists } from "../base/object";
import { makePte } from "../base/pte";
import { log } from "../base/stat";
import { hugetlbReserved } from "../fault/hugetlb";
import { folioOf } from "../frame/folio";
import { zeroFrame } from "../frame/frame";
import { allocFrame } from "../frame/page-alloc";
import { Cmd } from "../operation/cmd";
import { fileAlloc, fileOf, fileRelease } from "../space/file";
import { vmaAdd, vmaDestroy, vmaMergeNew } from "../space/merge";
import { Mm, mmAt } from "../space/mm";
import { startWithGap } from "../space/stack";
import { findVmaFrom, protection, Vma, vmaAlloc, vmaAt, vmaLookup } from "../space/vma";
import { zapRange } from "../space/zap";
import { HUGE_MASK } from "../table/huge";
import { USER_END, USER_START, walkAlloc } from "../table/pagetable";
import { freeTablesOfGap, unmapRange } from "./unmap";

/** The end of the highest mapping that mmap chooses; the space after it is the stack's, as in Linux. */
const MMAP_BASE: u64 = USER_END - 0x7fff000;

/** The flags that mmap takes, but for the size of hugetlb pages. */
const KNOWN: u32 =
  MAP_SHARED |
  MAP_PRIVATE |
  MAP_FIXED |
  MAP_ANONYMOUS |
  MAP_GROWSDOWN |
  MAP_DENYWRITE |
  MAP_EXECUTABLE |
  MAP_LOCKED |
  MAP_NORESERVE |
  MAP_POPULATE |
  MAP_NONBLOCK |
  MAP_STACK |
  MAP_HUGETLB |
  MAP_FIXED_NOREPLACE;

/** Are all flags built, or without effect in Linux, too? Any other is refused rather than ignored. */
function isKnown(flags: u32): bool {
  const rest = flags & ~KNOWN;
  return !rest || (rest == MAP_HUGE_2MB && (flags & MAP_HUGETLB) != 0);
}

/** Is nothing mapped in [start, end)? */
function isFree(mm: Mm, start: u64, end: u64): bool {
  const vma = findVmaFrom(mm, start);
  return !exists(vma) || vma.start >= end;
}

/** isFree() for a mapping that may lie elsewhere, too: it leaves the gap below a stack alone. */
function isRoomy(mm: Mm, start: u64, end: u64): bool {
  const vma = findVmaFrom(mm, start);
  return !exists(vma) || startWithGap(vma) >= end;
}

/** The highest aligned address at which `length` bytes end at or before the ceiling; 0 if there is none. */
@inline
function below(ceiling: u64, length: u64, align: u64): u64 {
  return ceiling >= length ? (ceiling - length) & ~(align - 1) : 0;
}

/**
 * get_unmapped_area: returns the hint if `length` bytes are free there, else the highest aligned address
 * below MMAP_BASE where they are; 0 if there is none.
 */
export function findGap(mm: Mm, hint: u64, length: u64, align: u64): u64 {
  if (hint >= USER_START && hint + length <= USER_END && isRoomy(mm, hint, hint + length)) return hint;
  let ceiling = MMAP_BASE;
  let vma = vmaAt(mm.vmaLast);
  while (exists(vma)) {
    const at = below(ceiling, length, align);
    if (at >= vma.end) return at;
    ceiling = min(ceiling, startWithGap(vma));
    vma = vmaAt(vma.prev);
  }
  const at = below(ceiling, length, align);
  if (at >= USER_START) return at;
  exhausted(RESOURCE_ADDRESS_SPACE);
  return 0;
}

/** Maps [start, end), where nothing is mapped. False when a table is full. */
function mapRange(mm: Mm, start: u64, end: u64, flags: u32, pgoff: u64, file: u32): bool {
  const next = findVmaFrom(mm, start);
  const prev = exists(next) ? vmaAt(next.prev) : vmaAt(mm.vmaLast);
  if (exists(vmaMergeNew(prev, next, start, end, flags, pgoff, file, 0))) return true;
  const vma = vmaAlloc(mm, start, end, flags, pgoff, file);
  if (!exists(vma)) return false;
  vmaAdd(mm, vma);
  return true;
}

/** OP_MMAP. Once the address is chosen, [start, end) is the mapping. */
@unmanaged
export class MmapCmd extends Cmd {
  /** The address asked for: where MAP_FIXED maps, a hint otherwise. */
  hint: u64;
  /** Bytes. */
  length: u64;
  /** The page offset in the file. */
  pgoff: u64;
  /** PROT_*, which are VM_READ, VM_WRITE and VM_EXEC. */
  prot: u32;
  /** MAP_*. */
  flags: u32;
  /** The file's id, MAP_FILE_MIXED or MAP_FILE_PFN; ignored for anonymous memory. */
  file: u32;
}

if (<i32>offsetof<MmapCmd>() > COMMAND_SIZE) ERROR("MmapCmd");

/** OP_MMAP: chooses the address, unmaps what MAP_FIXED replaces, maps, and populates if that is asked. */
export function mmapStep(cmd: MmapCmd): i32 {
  const mm = mmAt(cmd.mm);
  if (cmd.phase == 0) {
    const refused = chooseAddress(cmd, mm);
    if (refused) return refused;
    cmd.phase = 1;
  }
  if (cmd.phase == 1) {
    if (cmd.flags & MAP_FIXED) {
      const result = unmapRange(cmd, cmd.start, cmd.end);
      if (result) return result;
    }
    if (!mapNew(cmd, mm)) return -ENOMEM;
    log(LOG_MMAP, cmd.mm, cmd.start, <u32>min<u64>(cmd.length >> 12, 0xffffffff), 0);
    cmd.phase = 2;
  }
  const populate = cmd.flags & MAP_LOCKED || (cmd.flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
  if (populate && populateLocked(cmd, cmd.start, cmd.end) == REQUEST) return REQUEST;
  setHeaderF64(HDR_RESULT, cmd.start);
  return 0;
}

/** Makes the mapping at [start, end). False when a table is full. */
function mapNew(cmd: MmapCmd, mm: Mm): bool {
  const start = cmd.start;
  const end = cmd.end;
  let flags: u32 = (cmd.prot & VM_ACCESS) | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
  const shared = (cmd.flags & MAP_SHARED) != 0;
  if (shared) flags |= VM_SHARED | VM_MAYSHARE;
  else if (flags & VM_WRITE) flags |= VM_ACCOUNT;
  if (cmd.file >= <u32>MAP_FILE_MIXED) return mapSpecial(cmd, mm, flags);
  if (cmd.flags & MAP_GROWSDOWN) flags |= VM_GROWSDOWN;
  if (cmd.flags & MAP_HUGETLB) flags |= VM_HUGETLB | VM_DONTEXPAND;
  else if (cmd.flags & MAP_LOCKED) flags |= VM_LOCKED;
  const mapped = !(cmd.flags & MAP_ANONYMOUS)
    ? mapRange(mm, start, end, flags, cmd.pgoff, cmd.file)
    : shared
      ? mapShared(mm, start, end, flags)
      : mapRange(mm, start, end, flags, start >> 12, 0);
  if (mapped && flags & VM_LOCKED) mm.lockedPages += <u32>(cmd.length >> 12);
  return mapped;
}

/**
 * Maps shared anonymous memory: a file of its own, which goes with its last mapping. False when a table is
 * full.
 */
function mapShared(mm: Mm, start: u64, end: u64, flags: u32): bool {
  const file = fileAlloc(FILE_SHMEM, end - start);
  if (!exists(file)) return false;
  const mapped = mapRange(mm, start, end, flags, 0, file.id);
  fileRelease(file);
  return mapped;
}

/** Makes a driver's mapping with all of its entries. False, and nothing is mapped, when memory runs out. */
function mapSpecial(cmd: MmapCmd, mm: Mm, flags: u32): bool {
  const start = cmd.start;
  const end = cmd.end;
  const mixed = cmd.file == <u32>MAP_FILE_MIXED;
  const special = mixed ? VM_MIXEDMAP : VM_PFNMAP | VM_IO | VM_DONTEXPAND;
  if (!mapRange(mm, start, end, flags | special, start >> 12, 0)) return false;
  const vma = vmaLookup(mm, start);
  for (let addr = start; addr < end; addr += PAGE_SIZE) {
    if (insertSpecial(vma, addr, mixed)) continue;
    zapRange(mm, start, end);
    vmaDestroy(mm, vma);
    freeTablesOfGap(mm, start, end);
    return false;
  }
  return true;
}

/**
 * vm_insert_page, or one page of remap_pfn_range, whose contents are zeros here. False when memory runs out.
 */
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

/**
 * Checks a hugetlb mapping, and rounds its length up: it must be private, aligned where it is fixed, and the
 * pool must have its pages. 0 or a negative errno.
 */
function checkHugetlb(cmd: MmapCmd): i32 {
  if (cmd.flags & MAP_SHARED || !(cmd.flags & MAP_ANONYMOUS)) return -EINVAL;
  if (cmd.flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) && cmd.hint & HUGE_MASK) return -EINVAL;
  cmd.length = (cmd.length + HUGE_MASK) & ~HUGE_MASK;
  if ((cmd.length >> PMD_SHIFT) + hugetlbReserved() <= <u64>header(HDR_HUGETLB_FREE)) return 0;
  exhausted(RESOURCE_HUGETLB);
  return -ENOMEM;
}

/** Checks the arguments and sets [start, end). 0 or a negative errno. */
function chooseAddress(cmd: MmapCmd, mm: Mm): i32 {
  const kind = cmd.flags & (MAP_SHARED | MAP_PRIVATE);
  if (!cmd.length || (kind != MAP_SHARED && kind != MAP_PRIVATE) || cmd.prot & ~VM_ACCESS) return -EINVAL;
  if (!(cmd.flags & MAP_ANONYMOUS) && cmd.file < <u32>MAP_FILE_MIXED && !exists(fileOf(cmd.file)))
    return -EINVAL;
  if (!isKnown(cmd.flags)) return -EINVAL;
  // Only private anonymous memory of small pages grows.
  const stack = MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN;
  if (cmd.flags & MAP_GROWSDOWN && (cmd.flags & (stack | MAP_HUGETLB)) != stack) return -EINVAL;
  if (cmd.length > USER_END) return -ENOMEM;
  if (cmd.flags & MAP_HUGETLB) {
    const refused = checkHugetlb(cmd);
    if (refused) return refused;
  }
  const length = cmd.length;
  if (cmd.flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
    if (cmd.hint & (PAGE_SIZE - 1)) return -EINVAL;
    if (cmd.hint > USER_END - length) return -ENOMEM;
    if (cmd.hint < USER_START) return -EINVAL;
    if (cmd.flags & MAP_FIXED_NOREPLACE && !isFree(mm, cmd.hint, cmd.hint + length)) return -EEXIST;
    return choose(cmd, cmd.hint);
  }
  const align: u64 = cmd.flags & MAP_HUGETLB ? PMD_SIZE : PAGE_SIZE;
  const gap = findGap(mm, cmd.hint & ~(align - 1), length, align);
  return gap ? choose(cmd, gap) : -ENOMEM;
}

/** Sets [start, end). */
function choose(cmd: MmapCmd, start: u64): i32 {
  cmd.start = start;
  cmd.end = start + cmd.length;
  return 0;
}
