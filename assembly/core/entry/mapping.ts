// The exports that change or look at mappings: system calls, fork and close, files, KSM. Each returns REQUEST
// if it has to wait (see run.ts), else what its comment says or 0, and a negative errno on failure.

import { EINVAL, ENOMEM } from "../../uapi/errno";
import { exists } from "../base/object";
import { KsmCmd } from "../ksm/merge";
import { MadviseCmd } from "../mapping/madvise";
import { MlockCmd } from "../mapping/mlock";
import { MmapCmd } from "../mapping/mmap";
import { MprotectCmd } from "../mapping/mprotect";
import { MremapCmd } from "../mapping/mremap-range";
import { FileCmd } from "../mapping/truncate";
import { UffdCmd } from "../mapping/uffd";
import {
  commandPush,
  OP_CLOSE,
  OP_FORK,
  OP_KSM,
  OP_MADVISE,
  OP_MLOCK,
  OP_MMAP,
  OP_MPROTECT,
  OP_MREMAP,
  OP_MSYNC,
  OP_MUNMAP,
  OP_PUNCH,
  OP_TRUNCATE,
  OP_UFFD,
} from "../operation/cmd";
import { fileOf } from "../space/file";
import { mmOf } from "../space/mm";
import { findVmaFrom } from "../space/vma";
import { begin, notBegun, run } from "./run";

/** fork. Returns the child's id. */
export function mmFork(mm: u32): i32 {
  const cmd = begin(OP_FORK, mm, 0, 0);
  return exists(cmd) ? run(cmd) : notBegun(mm);
}

/** exit_mmap: frees the address space, after telling its subscribers `release`. */
export function mmClose(mm: u32): i32 {
  const cmd = begin(OP_CLOSE, mm, 0, 0);
  return exists(cmd) ? run(cmd) : notBegun(mm);
}

/** mmap. HDR_RESULT is the address; `offset` is in bytes, page aligned. */
export function mmap(mm: u32, addr: f64, length: f64, prot: u32, flags: u32, file: u32, offset: f64): i32 {
  const cmd = changetype<MmapCmd>(begin(OP_MMAP, mm, 0, 0));
  if (!exists(cmd)) return notBegun(mm);
  cmd.hint = <u64>addr;
  cmd.length = <u64>length;
  cmd.prot = prot;
  cmd.flags = flags;
  cmd.file = file;
  cmd.pgoff = (<u64>offset) >> 12;
  return run(cmd);
}

/** munmap of [addr, addr + length). */
export function munmap(mm: u32, addr: f64, length: f64): i32 {
  const cmd = begin(OP_MUNMAP, mm, addr, addr + length);
  return exists(cmd) ? run(cmd) : notBegun(mm);
}

/** mprotect of [addr, addr + length); `prot`: PROT_*. */
export function mprotect(mm: u32, addr: f64, length: f64, prot: u32): i32 {
  const cmd = changetype<MprotectCmd>(begin(OP_MPROTECT, mm, addr, addr + length));
  if (!exists(cmd)) return notBegun(mm);
  cmd.prot = prot;
  return run(cmd);
}

/** madvise of [addr, addr + length); `advice`: MADV_*. */
export function madvise(mm: u32, addr: f64, length: f64, advice: u32): i32 {
  const cmd = changetype<MadviseCmd>(begin(OP_MADVISE, mm, addr, addr + length));
  if (!exists(cmd)) return notBegun(mm);
  cmd.advice = advice;
  return run(cmd);
}

/** mremap. HDR_RESULT is the new address; `newAddr` is a hint without MREMAP_FIXED. */
export function mremap(mm: u32, addr: f64, oldLength: f64, newLength: f64, flags: u32, newAddr: f64): i32 {
  const cmd = changetype<MremapCmd>(begin(OP_MREMAP, mm, 0, 0));
  if (!exists(cmd)) return notBegun(mm);
  cmd.oldAddr = <u64>addr;
  cmd.oldLength = <u64>oldLength;
  cmd.newAddr = <u64>newAddr;
  cmd.newLength = <u64>newLength;
  cmd.flags = flags;
  return run(cmd);
}

/** mlock of [addr, addr + length). */
export function mlock(mm: u32, addr: f64, length: f64): i32 {
  const cmd = changetype<MlockCmd>(begin(OP_MLOCK, mm, addr, addr + length));
  if (!exists(cmd)) return notBegun(mm);
  cmd.lock = 1;
  return run(cmd);
}

/** munlock of [addr, addr + length). */
export function munlock(mm: u32, addr: f64, length: f64): i32 {
  const cmd = begin(OP_MLOCK, mm, addr, addr + length);
  return exists(cmd) ? run(cmd) : notBegun(mm);
}

/** UFFDIO_REGISTER in missing mode of [addr, addr + length), or with `on` = 0 UFFDIO_UNREGISTER. */
export function uffdRegister(mm: u32, addr: f64, length: f64, on: u32): i32 {
  const cmd = changetype<UffdCmd>(begin(OP_UFFD, mm, addr, addr + length));
  if (!exists(cmd)) return notBegun(mm);
  cmd.register = on;
  return run(cmd);
}

/** msync(MS_SYNC) of [addr, addr + length). */
export function msync(mm: u32, addr: f64, length: f64): i32 {
  const cmd = begin(OP_MSYNC, mm, addr, addr + length);
  return exists(cmd) ? run(cmd) : notBegun(mm);
}

/** Returns the address of the vma that covers addr; 0 if none does. */
export function findVma(mm: u32, addr: f64): u32 {
  const space = mmOf(mm);
  if (!exists(space)) return 0;
  const vma = findVmaFrom(space, <u64>addr);
  return exists(vma) && vma.start <= <u64>addr ? <u32>vma.ptr : 0;
}

/** Runs `passes` passes of ksmd over all mergeable memory. */
export function ksmScan(passes: u32): i32 {
  const cmd = changetype<KsmCmd>(commandPush(OP_KSM, 0));
  if (!exists(cmd)) return -ENOMEM;
  cmd.passes = passes;
  return run(cmd);
}

/** Runs an operation on bytes [start, end) of a file. */
function beginFile(op: u32, file: u32, start: f64, end: f64): i32 {
  if (!exists(fileOf(file))) return -EINVAL;
  const cmd = changetype<FileCmd>(commandPush(op, 0));
  if (!exists(cmd)) return -ENOMEM;
  cmd.file = file;
  cmd.start = <u64>start;
  cmd.end = <u64>end;
  return run(cmd);
}

/** ftruncate to a size in bytes. */
export function fileTruncate(file: u32, bytes: f64): i32 {
  return beginFile(OP_TRUNCATE, file, 0, bytes);
}

/** fallocate(FALLOC_FL_PUNCH_HOLE) of `length` bytes from `offset` on. */
export function filePunchHole(file: u32, offset: f64, length: f64): i32 {
  return beginFile(OP_PUNCH, file, offset, offset + length);
}
