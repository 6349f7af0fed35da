// What the module exports. Each operation that may need the outside is begun here, and goes on in resume().

import { EINVAL, ENOMEM } from "../uapi/errno";
import { REQUEST } from "../abi/request";
import { PAGE_SIZE } from "../uapi/page";
import { HDR_DEVICE_BASE, HDR_DEVICE_FRAMES, XBUF_SIZE } from "../abi/struct";
import { accessStep, cancelPin, faultStep, pinStep } from "./access/access";
import { header } from "./base/layout";
import { exists, none } from "./base/object";
import { cancelDeviceFault } from "./fault/fault";
import { putPage } from "./frame/page-alloc";
import { cancelExclusive, exclusiveStep } from "./hmm/exclusive";
import { rangeFaultStep } from "./hmm/range-fault";
import { ksmStep } from "./ksm/scan";
import { closeStep, forkStep } from "./mapping/lifecycle";
import { madviseStep } from "./mapping/madvise";
import { mlockStep, mmapStep, uffdStep } from "./mapping/mmap";
import { mprotectStep } from "./mapping/mprotect";
import { mremapStep } from "./mapping/mremap";
import { msyncStep, punchStep, truncateStep } from "./mapping/truncate";
import { munmapStep } from "./mapping/unmap";
import { migratePagesStep } from "./migrate/pages";
import { migrateDeviceSetupStep, migrateSetupStep } from "./migrate/setup";
import {
  Cmd,
  commandPop,
  commandPush,
  commandTop,
  OP_ACCESS,
  OP_CLOSE,
  OP_EXCLUSIVE,
  OP_FAULT,
  OP_FORK,
  OP_KSM,
  OP_MADVISE,
  OP_MIGRATE_DEVICE_SETUP,
  OP_MIGRATE_PAGES,
  OP_MIGRATE_SETUP,
  OP_MLOCK,
  OP_MMAP,
  OP_MPROTECT,
  OP_MREMAP,
  OP_MSYNC,
  OP_MUNMAP,
  OP_PIN,
  OP_PUNCH,
  OP_RANGE_FAULT,
  OP_TRUNCATE,
  OP_UFFD,
} from "./operation/cmd";
import { notifyEnd } from "./operation/notify";
import { fileOf } from "./space/file";
import { migrationOf } from "./space/migration";
import { mmOf } from "./space/mm";
import { findVmaFrom } from "./space/vma";

export { checksum } from "./base/checksum";
export { layoutBytes } from "./base/layout";
export { abort } from "./base/panic";
export { boot } from "./boot";
export { memcgCreate, memcgSetLimit, memcgDestroy } from "./frame/memcg";
export { mmCreate } from "./mapping/lifecycle";
export { mincore } from "./mapping/mmap";
export { load32, store32, lookupPte, unpin } from "./access/access";
export {
  notifierInsert,
  notifierRemove,
  notifierReadBegin,
  notifierReadRetry,
  notifierSetSeq,
} from "./operation/notify";
export { addressesBelow48, translate } from "./access/translate";
export { devmemAdd, devmemRemove, devmemTakeFreed } from "./frame/devmem";
export {
  pageGet,
  pagePut,
  pageTryLock,
  pageUnlock,
  pageIsolate,
  pagePutback,
  pageData,
  pageZone,
} from "./frame/page";
export { devmemAllocPage, devmemAllocPages, systemAllocPage, systemAllocPages } from "./migrate/destinations";
export { copyPages } from "./migrate/copy";
export { migrateFinalize } from "./migrate/finalize";
export { deviceTableMapMigrated } from "./migrate/mirror";
export {
  deviceTableCreate,
  deviceTableDestroy,
  deviceTableClear,
  deviceTableProtect,
  deviceTableLookup,
  deviceTableSnapshot,
  deviceTableAccess,
} from "./space/device-table";
export { deviceTableMap } from "./space/device-map";
export { replay, replayCount, replayOldest } from "./access/replay";
export { arenaAlloc, arenaFree } from "./base/arena";
export { fileClose, fileCreate } from "./space/file";
export { fileRead, fileWrite } from "./access/file-io";
export { verify } from "./verify/verify";

/** Runs an operation until it ends or asks. What it still holds at its end is let go. */
function run(cmd: Cmd): i32 {
  const result = step(cmd);
  if (result == REQUEST) return result;
  notifyEnd(cmd);
  if (cmd.newPage) putPage(cmd.newPage);
  commandPop();
  return result;
}

function step(cmd: Cmd): i32 {
  switch (cmd.op) {
    case OP_MMAP:
      return mmapStep(cmd);
    case OP_MUNMAP:
      return munmapStep(cmd);
    case OP_MPROTECT:
      return mprotectStep(cmd);
    case OP_MADVISE:
      return madviseStep(cmd);
    case OP_MREMAP:
      return mremapStep(cmd);
    case OP_MLOCK:
      return mlockStep(cmd);
    case OP_FORK:
      return forkStep(cmd);
    case OP_CLOSE:
      return closeStep(cmd);
    case OP_ACCESS:
      return accessStep(cmd);
    case OP_FAULT:
      return faultStep(cmd);
    case OP_PIN:
      return pinStep(cmd);
    case OP_RANGE_FAULT:
      return rangeFaultStep(cmd);
    case OP_MIGRATE_SETUP:
      return migrateSetupStep(cmd);
    case OP_MIGRATE_DEVICE_SETUP:
      return migrateDeviceSetupStep(cmd);
    case OP_MIGRATE_PAGES:
      return migratePagesStep(cmd);
    case OP_EXCLUSIVE:
      return exclusiveStep(cmd);
    case OP_TRUNCATE:
      return truncateStep(cmd);
    case OP_PUNCH:
      return punchStep(cmd);
    case OP_MSYNC:
      return msyncStep(cmd);
    case OP_UFFD:
      return uffdStep(cmd);
    case OP_KSM:
      return ksmStep(cmd);
  }
  return -EINVAL;
}

export function resume(): i32 {
  const cmd = commandTop();
  return exists(cmd) ? run(cmd) : -EINVAL;
}

export function cancel(): i32 {
  const cmd = commandTop();
  if (!exists(cmd)) return -EINVAL;
  cancelDeviceFault(cmd);
  notifyEnd(cmd);
  if (cmd.newPage) putPage(cmd.newPage);
  if (cmd.op == OP_PIN) cancelPin(cmd);
  if (cmd.op == OP_EXCLUSIVE) cancelExclusive(cmd);
  commandPop();
  return 0;
}

/** A command over [start, end) of an mm; null if there is no such mm or no block. cursor begins at start. */
function begin(op: u32, mm: u32, start: f64, end: f64): Cmd {
  if (!exists(mmOf(mm))) return none<Cmd>();
  const cmd = commandPush(op, mm);
  if (!exists(cmd)) return cmd;
  cmd.start = <u64>start;
  cmd.end = <u64>end;
  cmd.cursor = cmd.start;
  return cmd;
}

/** Why begin() failed. */
function notBegun(mm: u32): i32 {
  return exists(mmOf(mm)) ? -ENOMEM : -EINVAL;
}

export function mmFork(mm: u32): i32 {
  const cmd = begin(OP_FORK, mm, 0, 0);
  return exists(cmd) ? run(cmd) : notBegun(mm);
}

export function mmClose(mm: u32): i32 {
  const cmd = begin(OP_CLOSE, mm, 0, 0);
  return exists(cmd) ? run(cmd) : notBegun(mm);
}

export function mmap(mm: u32, addr: f64, length: f64, prot: u32, flags: u32, file: u32, offset: f64): i32 {
  const cmd = begin(OP_MMAP, mm, addr, length);
  if (!exists(cmd)) return notBegun(mm);
  cmd.a = prot;
  cmd.b = flags;
  cmd.c = file;
  cmd.unmapCursor = (<u64>offset) >> 12;
  return run(cmd);
}

export function munmap(mm: u32, addr: f64, length: f64): i32 {
  const cmd = begin(OP_MUNMAP, mm, addr, addr + length);
  return exists(cmd) ? run(cmd) : notBegun(mm);
}

export function mprotect(mm: u32, addr: f64, length: f64, prot: u32): i32 {
  const cmd = begin(OP_MPROTECT, mm, addr, addr + length);
  if (!exists(cmd)) return notBegun(mm);
  cmd.a = prot;
  return run(cmd);
}

export function madvise(mm: u32, addr: f64, length: f64, advice: u32): i32 {
  const cmd = begin(OP_MADVISE, mm, addr, addr + length);
  if (!exists(cmd)) return notBegun(mm);
  cmd.a = advice;
  return run(cmd);
}

export function mremap(mm: u32, addr: f64, oldLength: f64, newLength: f64, flags: u32, newAddr: f64): i32 {
  const cmd = begin(OP_MREMAP, mm, addr, oldLength);
  if (!exists(cmd)) return notBegun(mm);
  cmd.cursor = <u64>newLength;
  cmd.target = <u64>newAddr;
  cmd.flags = flags;
  return run(cmd);
}

export function mlock(mm: u32, addr: f64, length: f64): i32 {
  const cmd = begin(OP_MLOCK, mm, addr, addr + length);
  if (!exists(cmd)) return notBegun(mm);
  cmd.a = 1;
  return run(cmd);
}

export function munlock(mm: u32, addr: f64, length: f64): i32 {
  const cmd = begin(OP_MLOCK, mm, addr, addr + length);
  return exists(cmd) ? run(cmd) : notBegun(mm);
}

export function uffdRegister(mm: u32, addr: f64, length: f64, on: u32): i32 {
  const cmd = begin(OP_UFFD, mm, addr, addr + length);
  if (!exists(cmd)) return notBegun(mm);
  cmd.a = on;
  return run(cmd);
}

export function findVma(mm: u32, addr: f64): u32 {
  const space = mmOf(mm);
  if (!exists(space)) return 0;
  const vma = findVmaFrom(space, <u64>addr);
  return exists(vma) && vma.start <= <u64>addr ? <u32>vma.ptr : 0;
}

export function access(mm: u32, addr: f64, length: u32, flags: u32): i32 {
  const cmd = begin(OP_ACCESS, mm, addr, addr + <f64>min<u32>(length, XBUF_SIZE));
  if (!exists(cmd)) return notBegun(mm);
  cmd.flags = flags;
  return run(cmd);
}

export function fault(mm: u32, addr: f64, flags: u32): i32 {
  const cmd = begin(OP_FAULT, mm, addr, addr);
  if (!exists(cmd)) return notBegun(mm);
  cmd.start &= ~(PAGE_SIZE - 1);
  cmd.flags = flags;
  return run(cmd);
}

export function pin(mm: u32, addr: f64, npages: u32, out: usize, flags: u32): i32 {
  const cmd = begin(OP_PIN, mm, addr, addr + <f64>npages * PAGE_SIZE);
  if (!exists(cmd)) return notBegun(mm);
  cmd.a = <u32>out;
  cmd.flags = flags;
  return run(cmd);
}

export function hmmRangeFault(
  mm: u32,
  start: f64,
  end: f64,
  pfns: usize,
  defaultFlags: u32,
  mask: u32,
  owner: u32,
  notifier: u32,
  seq: u32,
): i32 {
  const cmd = begin(OP_RANGE_FAULT, mm, start, end);
  if (!exists(cmd)) return notBegun(mm);
  cmd.a = <u32>pfns;
  cmd.b = defaultFlags;
  cmd.c = mask;
  cmd.d = owner;
  cmd.e = notifier;
  cmd.f = seq;
  return run(cmd);
}

export function migrateSetup(mm: u32, start: f64, end: f64, select: u32, owner: u32, faultPage: u32): i32 {
  const cmd = begin(OP_MIGRATE_SETUP, mm, start, end);
  if (!exists(cmd)) return notBegun(mm);
  cmd.b = select;
  cmd.c = owner;
  cmd.d = faultPage;
  return run(cmd);
}

export function migrateDeviceSetup(pfn: u32, n: u32): i32 {
  const base = header(HDR_DEVICE_BASE);
  if (!n || pfn < base || n > header(HDR_DEVICE_FRAMES) || pfn - base > header(HDR_DEVICE_FRAMES) - n)
    return -EINVAL;
  const cmd = commandPush(OP_MIGRATE_DEVICE_SETUP, 0);
  if (!exists(cmd)) return -ENOMEM;
  cmd.e = pfn;
  cmd.f = n;
  return run(cmd);
}

export function migratePages(migration: u32): i32 {
  const m = migrationOf(migration);
  if (!exists(m)) return -EINVAL;
  const cmd = commandPush(OP_MIGRATE_PAGES, m.mm);
  if (!exists(cmd)) return -ENOMEM;
  cmd.a = <u32>changetype<usize>(m);
  return run(cmd);
}

export function makeDeviceExclusive(mm: u32, start: f64, npages: u32, out: usize, owner: u32): i32 {
  const cmd = begin(OP_EXCLUSIVE, mm, start, start + <f64>npages * PAGE_SIZE);
  if (!exists(cmd)) return notBegun(mm);
  cmd.a = <u32>out;
  cmd.c = owner;
  return run(cmd);
}

export function msync(mm: u32, addr: f64, length: f64): i32 {
  const cmd = begin(OP_MSYNC, mm, addr, addr + length);
  return exists(cmd) ? run(cmd) : notBegun(mm);
}

export function ksmScan(passes: u32): i32 {
  const cmd = commandPush(OP_KSM, 0);
  if (!exists(cmd)) return -ENOMEM;
  cmd.a = passes;
  return run(cmd);
}

function beginFile(op: u32, file: u32, start: f64, end: f64): i32 {
  if (!exists(fileOf(file))) return -EINVAL;
  const cmd = commandPush(op, 0);
  if (!exists(cmd)) return -ENOMEM;
  cmd.a = file;
  cmd.start = <u64>start;
  cmd.end = <u64>end;
  return run(cmd);
}

export function fileTruncate(file: u32, bytes: f64): i32 {
  return beginFile(OP_TRUNCATE, file, 0, bytes);
}

export function filePunchHole(file: u32, offset: f64, length: f64): i32 {
  return beginFile(OP_PUNCH, file, offset, offset + length);
}
