// mlock and munlock.

import { COMMAND_SIZE } from "../../abi/header";
import { REQUEST } from "../../abi/request";
import { ENOMEM } from "../../uapi/errno";
import { VM_LOCKED, VM_SPECIAL } from "../../uapi/vm";
import { populateLocked } from "../access/populate";
import { exists } from "../base/object";
import { drainUnlocked } from "../frame/unlocked";
import { Cmd } from "../operation/cmd";
import { splitEdges } from "../operation/split";
import { vmaModify } from "../space/merge";
import { Mm, mmAt } from "../space/mm";
import { findVmaFrom, vmaLookup } from "../space/vma";

/** OP_MLOCK: mlock() or munlock() of [start, end). */
@unmanaged
export class MlockCmd extends Cmd {
  /** 1: lock, 0: unlock. */
  lock: u32;
}

if (<i32>offsetof<MlockCmd>() > COMMAND_SIZE) ERROR("MlockCmd");

/** OP_MLOCK: marks the vmas locked (or not), then populates what is locked. */
export function mlockStep(cmd: MlockCmd): i32 {
  const mm = mmAt(cmd.mm);
  if (cmd.phase == 0) {
    const result = setLocked(cmd, mm);
    if (result || !cmd.lock) return result;
    cmd.phase = 1;
  }
  return populateLocked(cmd, cmd.start, cmd.end);
}

/** apply_vma_lock_flags over [cmd.cursor, cmd.end). 0, a negative errno or REQUEST. */
function setLocked(cmd: MlockCmd, mm: Mm): i32 {
  const lock = cmd.lock != 0;
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
      drainUnlocked();
      mm.lockedPages += <u32>((until - addr) >> 12) * (lock ? 1 : -1);
    }
    cmd.cursor = until;
    vma = findVmaFrom(mm, until);
  }
  return 0;
}
