// The ranges of an mremap, old and new: the command block, and a range of several mappings, which Linux 7.3
// moves one after another.

import { COMMAND_SIZE } from "../../abi/header";
import { EFAULT, EINVAL } from "../../uapi/errno";
import { MREMAP_FIXED, VM_HUGETLB, VM_UFFD_MISSING } from "../../uapi/vm";
import { exists } from "../base/object";
import { Cmd } from "../operation/cmd";
import { cutsHugetlb } from "../operation/split";
import { Mm } from "../space/mm";
import { vmaInRange, vmaLookup } from "../space/vma";
import { USER_END, USER_START } from "../table/pagetable";

/** cmd.phase of OP_MREMAP: what MREMAP_FIXED replaces is unmapped next. */
export const PHASE_CLEAR_TARGET: u32 = 1;

/** OP_MREMAP: the mapping of oldLength bytes at oldAddr becomes one of newLength bytes at newAddr. */
@unmanaged
export class MremapCmd extends Cmd {
  oldAddr: u64;
  /** Bytes; newLength once the mapping has been shrunk. */
  oldLength: u64;
  /** With MREMAP_FIXED the address asked for, else a hint; then the one that was chosen. */
  newAddr: u64;
  newLength: u64;
  /** MREMAP_*. */
  flags: u32;
  /** Not 0: the mapping is locked, and what it grew by is populated at the end. */
  locked: u32;
  /** 1 once the range is moved mapping by mapping, as far as each has of it. */
  several: u32;
  /** Where that range ends. */
  rangeEnd: u64;
  /** Where it goes: the address that the call returns. */
  rangeTo: u64;
}

if (<i32>offsetof<MremapCmd>() > COMMAND_SIZE) ERROR("MremapCmd");

/** Checks the new range against user space and the old range. 0 or -EINVAL. */
export function checkTarget(cmd: MremapCmd): i32 {
  if (cmd.newLength > USER_END || cmd.newAddr > USER_END - cmd.newLength) return -EINVAL;
  if (cmd.oldAddr + cmd.oldLength > cmd.newAddr && cmd.newAddr + cmd.newLength > cmd.oldAddr) return -EINVAL;
  return cmd.flags & MREMAP_FIXED && cmd.newAddr < USER_START ? -EINVAL : 0;
}

/**
 * remap_move: the range goes to a fixed address with its length, mapping by mapping; its holes stay holes,
 * and what they would replace stays. 0, or -EFAULT if the range begins in a hole or a mapping must move
 * alone. /
 */
export function beginSeveral(cmd: MremapCmd, mm: Mm): i32 {
  const end = cmd.oldAddr + cmd.oldLength;
  let cursor = cmd.oldAddr;
  if (!exists(vmaLookup(mm, cursor))) return -EFAULT;
  let alone = false;
  let n: u32 = 0;
  for (let vma = vmaInRange(mm, cursor, end); exists(vma); vma = vmaInRange(mm, cursor, end)) {
    if (vma.flags & (VM_HUGETLB | VM_UFFD_MISSING)) alone = true;
    if (vma.flags & VM_HUGETLB && cutsHugetlb(vma, cmd.oldAddr | cmd.newAddr | end)) return -EINVAL;
    cursor = min(vma.end, end);
    n++;
  }
  if (alone && (n > 1 || cursor < end)) return -EFAULT;
  cmd.several = 1;
  cmd.start = cmd.oldAddr;
  cmd.cursor = cmd.oldAddr;
  cmd.rangeEnd = end;
  cmd.rangeTo = cmd.newAddr;
  nextMapping(cmd, mm);
  return 0;
}

/** Goes on to the part of the range that the next mapping has. False when there is none. */
export function nextMapping(cmd: MremapCmd, mm: Mm): bool {
  const from = cmd.cursor;
  const vma = vmaInRange(mm, from, cmd.rangeEnd);
  if (!exists(vma)) return false;
  cmd.oldAddr = max(vma.start, from);
  cmd.cursor = min(vma.end, cmd.rangeEnd);
  cmd.oldLength = cmd.cursor - cmd.oldAddr;
  cmd.newAddr = cmd.rangeTo + (cmd.oldAddr - cmd.start);
  cmd.newLength = cmd.oldLength;
  cmd.phase = PHASE_CLEAR_TARGET;
  return true;
}
