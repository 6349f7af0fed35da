// The command blocks of migrations: the arguments of the setups, of pages() and of whole moves, and how far
// each is.

import { COMMAND_SIZE } from "../../abi/header";
import { Cmd } from "../operation/cmd";

/** OP_MIGRATE_PAGES: moves the pages of a migration that is set up. */
@unmanaged
export class MigratePagesCmd extends Cmd {
  /** The address of the Migration, once it is made. */
  migration: u32;
  /** The index of the page at which the step continues. */
  index: u32;
  /** 1 once the second window, from the first hole that is filled, has been asked for. */
  windowAsked: u32;
}

/** What both setups have in common, for finishSetup(). The index is that of the page unmapAll() is at. */
@unmanaged
export class SetupCmd extends MigratePagesCmd {
  /** How many pages unmapAll() has to isolate and unmap elsewhere. */
  unfinished: u32;
}

/** OP_MIGRATE_SETUP: the arguments of migrate_vma_setup, for [start, end). */
@unmanaged
export class MigrateSetupCmd extends SetupCmd {
  /** MIGRATE_VMA_SELECT_*. */
  select: u32;
  owner: u32;
  /** The device page that a CPU fault has locked (migrate_vma.fault_page); 0 none. */
  lockedPage: u32;
}

/** OP_MIGRATE_DEVICE_SETUP: the arguments of migrate_device_range or migrate_device_pfns. */
@unmanaged
export class MigrateDeviceSetupCmd extends SetupCmd {
  /** The address of the pfns (u32 each); 0: they are `first` and those that follow it. */
  list: u32;
  first: u32;
  npages: u32;
  /** The index of the page whose large folio is being split. */
  splitting: u32;

  /** The pfn of page i. */
  @inline page(i: u32): u32 {
    return this.list ? load<u32>(this.list + i * 4) : this.first + i;
  }
}

/** OP_MIGRATE_MOVE: a whole migration of [start, end), to a devmem or from it to system memory. */
@unmanaged
export class MigrateMoveCmd extends MigrateSetupCmd {
  /** The devmem, and the device table that follows. */
  devmem: u32;
  table: u32;
  /** 1: to the devmem; 0: from it. */
  toDevice: u32;
  /** The index of the page that gets a frame of system memory before all others. */
  first: u32;
  /** The address of what the operation finds (MOVE_*). */
  out: u32;
  /** 1 once the pages are collected and have destinations. */
  isSetUp: u32;
}

if (<i32>offsetof<MigrateSetupCmd>() > COMMAND_SIZE) ERROR("MigrateSetupCmd");
if (<i32>offsetof<MigrateDeviceSetupCmd>() > COMMAND_SIZE) ERROR("MigrateDeviceSetupCmd");
if (<i32>offsetof<MigrateMoveCmd>() > COMMAND_SIZE) ERROR("MigrateMoveCmd");
