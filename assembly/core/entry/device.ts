// The exports of accesses and of HMM: loads, stores and pins, range faults, migration, exclusive access. Each
// returns REQUEST if it has to wait (see run.ts), else what its comment says, and a negative errno on
// failure.

import { MOVE_PAGES_MAX, XBUF_SIZE } from "../../abi/argument";
import { HDR_DEVICE_BASE, HDR_DEVICE_FRAMES } from "../../abi/header";
import { EINVAL, ENOMEM } from "../../uapi/errno";
import { PAGE_SIZE } from "../../uapi/page";
import { MIGRATE_VMA_SELECT_DEVICE_PRIVATE, MIGRATE_VMA_SELECT_SYSTEM } from "../../uapi/pfn";
import { AccessCmd, PinCmd } from "../access/access";
import { header } from "../base/layout";
import { exists } from "../base/object";
import { isDevmem } from "../frame/devmem";
import { zoneOf } from "../frame/zone";
import { ExclusiveCmd } from "../hmm/exclusive";
import { RangeFaultCmd } from "../hmm/slots";
import { MigrateDeviceSetupCmd, MigrateMoveCmd, MigratePagesCmd, MigrateSetupCmd } from "../migrate/cmd";
import {
  commandPush,
  OP_ACCESS,
  OP_EXCLUSIVE,
  OP_FAULT,
  OP_MIGRATE_DEVICE_SETUP,
  OP_MIGRATE_MOVE,
  OP_MIGRATE_PAGES,
  OP_MIGRATE_SETUP,
  OP_PIN,
  OP_RANGE_FAULT,
} from "../operation/cmd";
import { deviceTableOf } from "../space/device-table";
import { migrationOf } from "../space/migration";
import { begin, notBegun, run } from "./run";

/**
 * Copies up to XBUF_SIZE bytes between an address space and the exchange buffer. Returns the bytes copied.
 */
export function access(mm: u32, addr: f64, length: u32, flags: u32): i32 {
  const cmd = changetype<AccessCmd>(begin(OP_ACCESS, mm, addr, addr + <f64>min<u32>(length, XBUF_SIZE)));
  if (!exists(cmd)) return notBegun(mm);
  cmd.flags = flags;
  return run(cmd);
}

/** Faults the page of one address in. Returns VM_FAULT_* bits, 0 for success. */
export function fault(mm: u32, addr: f64, flags: u32): i32 {
  const cmd = changetype<AccessCmd>(begin(OP_FAULT, mm, addr, addr));
  if (!exists(cmd)) return notBegun(mm);
  cmd.start &= ~(PAGE_SIZE - 1);
  cmd.flags = flags;
  return run(cmd);
}

/** pin_user_pages: `out` receives npages pfns (u32 each). Returns the pages pinned. */
export function pin(mm: u32, addr: f64, npages: u32, out: usize, flags: u32): i32 {
  const cmd = changetype<PinCmd>(begin(OP_PIN, mm, addr, addr + <f64>npages * PAGE_SIZE));
  if (!exists(cmd)) return notBegun(mm);
  cmd.out = <u32>out;
  cmd.flags = flags;
  return run(cmd);
}

/** hmm_range_fault of [start, end): `pfns` is the address of a u32 for each page. Returns 0. */
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
  const cmd = changetype<RangeFaultCmd>(begin(OP_RANGE_FAULT, mm, start, end));
  if (!exists(cmd)) return notBegun(mm);
  cmd.pfns = <u32>pfns;
  cmd.defaultFlags = defaultFlags;
  cmd.mask = mask;
  cmd.owner = owner;
  cmd.notifier = notifier;
  cmd.seq = seq;
  return run(cmd);
}

/** migrate_vma_setup of [start, end). Returns the migration's id. */
export function migrateSetup(mm: u32, start: f64, end: f64, select: u32, owner: u32, faultPage: u32): i32 {
  const cmd = changetype<MigrateSetupCmd>(begin(OP_MIGRATE_SETUP, mm, start, end));
  if (!exists(cmd)) return notBegun(mm);
  cmd.select = select;
  cmd.owner = owner;
  cmd.lockedPage = faultPage;
  return run(cmd);
}

/** migrate_device_range of n device pages from pfn on. Returns the migration's id. */
export function migrateDeviceSetup(pfn: u32, n: u32): i32 {
  const base = header(HDR_DEVICE_BASE);
  const frames = header(HDR_DEVICE_FRAMES);
  if (!n || pfn < base || n > frames || pfn - base > frames - n) return -EINVAL;
  const cmd = changetype<MigrateDeviceSetupCmd>(commandPush(OP_MIGRATE_DEVICE_SETUP, 0));
  if (!exists(cmd)) return -ENOMEM;
  cmd.first = pfn;
  cmd.npages = n;
  return run(cmd);
}

/** migrate_device_pfns of the n device pages at `pfns` (u32 each). Returns the migration's id. */
export function migrateDevicePfns(pfns: usize, n: u32): i32 {
  const base = header(HDR_DEVICE_BASE);
  const frames = header(HDR_DEVICE_FRAMES);
  if (!n) return -EINVAL;
  for (let i: u32 = 0; i < n; i++) if (load<u32>(pfns + i * 4) - base >= frames) return -EINVAL;
  const cmd = changetype<MigrateDeviceSetupCmd>(commandPush(OP_MIGRATE_DEVICE_SETUP, 0));
  if (!exists(cmd)) return -ENOMEM;
  cmd.list = <u32>pfns;
  cmd.npages = n;
  return run(cmd);
}

/** migrate_vma_pages of a migration that is set up. Returns 0. */
export function migratePages(migration: u32): i32 {
  const m = migrationOf(migration);
  if (!exists(m)) return -EINVAL;
  const cmd = changetype<MigratePagesCmd>(commandPush(OP_MIGRATE_PAGES, m.mm));
  if (!exists(cmd)) return -ENOMEM;
  cmd.migration = <u32>changetype<usize>(m);
  return run(cmd);
}

/**
 * A whole migration of [start, end), at most MOVE_PAGES_MAX pages: to the devmem, or from it to system
 * memory, where page `first` of the range gets a frame before all others. The device table follows.
 * `faultPage` is as for migrateSetup(); `out` is the address of MOVE_BYTES bytes. Returns the pages moved.
 */
export function migrateMove(
  mm: u32,
  start: f64,
  end: f64,
  toDevice: u32,
  devmem: u32,
  table: u32,
  first: u32,
  faultPage: u32,
  out: usize,
): i32 {
  if (!isDevmem(devmem) || !exists(deviceTableOf(table)) || end - start > <f64>(MOVE_PAGES_MAX * PAGE_SIZE))
    return -EINVAL;
  const cmd = changetype<MigrateMoveCmd>(begin(OP_MIGRATE_MOVE, mm, start, end));
  if (!exists(cmd)) return notBegun(mm);
  cmd.select = toDevice ? MIGRATE_VMA_SELECT_SYSTEM : MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
  cmd.owner = zoneOf(devmem).owner;
  cmd.lockedPage = faultPage;
  cmd.devmem = devmem;
  cmd.table = table;
  cmd.toDevice = toDevice;
  cmd.first = first;
  cmd.out = <u32>out;
  return run(cmd);
}

/** make_device_exclusive: `out` receives npages pfns (u32 each). Returns the pages reached. */
export function makeDeviceExclusive(mm: u32, start: f64, npages: u32, out: usize, owner: u32): i32 {
  const cmd = changetype<ExclusiveCmd>(begin(OP_EXCLUSIVE, mm, start, start + <f64>npages * PAGE_SIZE));
  if (!exists(cmd)) return notBegun(mm);
  cmd.out = <u32>out;
  cmd.owner = owner;
  return run(cmd);
}
