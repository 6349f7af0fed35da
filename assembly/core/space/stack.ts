// Stacks: mappings with VM_GROWSDOWN, which grow down to the addresses that are accessed below them.
//
//    prev.end        at least STACK_GUARD_GAP, if      addr        vma.start            vma.end
//       ┤  prev      prev is no stack and accessible    ├╌╌╌╌╌╌╌╌╌╌╌╌┼────── stack ──────┤
//                                                       └──── at most STACK_MAX ─────────┘

import { PAGE_SHIFT } from "../../uapi/page";
import { VM_ACCESS, VM_GROWSDOWN, VM_LOCKED } from "../../uapi/vm";
import { exists, none } from "../base/object";
import { USER_START } from "../table/pagetable";
import { anonVmaPrepare } from "./anon-vma";
import { setRange } from "./merge";
import { Mm } from "./mm";
import { findVmaFrom, Vma, vmaAt } from "./vma";

/** Bytes that mmap leaves free below a stack, and a growing stack above another mapping (stack_guard_gap). */
const STACK_GUARD_GAP: u64 = 256 << PAGE_SHIFT;
/** Bytes to which a stack grows at most: Linux's default of RLIMIT_STACK. */
const STACK_MAX: u64 = 8 << 20;

/**
 * Returns the first address that mmap leaves free for a vma: its start, or that of a stack's gap
 * (vm_start_gap).
 */
@inline
export function startWithGap(vma: Vma): u64 {
  if (!(vma.flags & VM_GROWSDOWN)) return vma.start;
  return vma.start - min(vma.start, STACK_GUARD_GAP);
}

/** Tells whether the next vma above addr, which no vma covers, is a stack that could grow to it. */
export function isBelowStack(mm: Mm, addr: u64): bool {
  const vma = findVmaFrom(mm, addr);
  return exists(vma) && (vma.flags & VM_GROWSDOWN) != 0;
}

/**
 * Grows the stack above addr (page aligned), which no vma covers, down to it (expand_stack). Returns its vma;
 * none where no stack is, or where it may not grow: into the gap, beyond STACK_MAX, or without memory for it.
 */
export function growStack(mm: Mm, addr: u64): Vma {
  const vma = findVmaFrom(mm, addr);
  if (!exists(vma) || !(vma.flags & VM_GROWSDOWN) || addr < USER_START) return none<Vma>();
  const prev = vmaAt(vma.prev);
  const near = exists(prev) && addr - prev.end < STACK_GUARD_GAP;
  if (near && prev.flags & VM_ACCESS && !(prev.flags & VM_GROWSDOWN)) return none<Vma>();
  const pages = (vma.start - addr) >> PAGE_SHIFT;
  if (vma.end - addr > STACK_MAX || pages > vma.pgoff || !anonVmaPrepare(vma)) return none<Vma>();
  if (vma.flags & VM_LOCKED) mm.lockedPages += <u32>pages;
  setRange(vma, addr, vma.end, vma.pgoff - pages);
  return vma;
}
