// Running operations: from the command block that an entry has filled to the step function that it belongs
// to, once at first and again each time TypeScript has served what the operation asked for.

import { EINVAL, ENOMEM } from "../../uapi/errno";
import { REQUEST } from "../../abi/request";
import { AccessCmd, accessStep, cancelPin, faultStep, PinCmd, pinStep } from "../access/access";
import { exists, none } from "../base/object";
import { cancelDeviceFault } from "../fault/fault";
import { putPage } from "../frame/page-alloc";
import { cancelExclusive, ExclusiveCmd, exclusiveStep } from "../hmm/exclusive";
import { rangeFaultStep } from "../hmm/range-fault";
import { RangeFaultCmd } from "../hmm/slots";
import { KsmCmd } from "../ksm/merge";
import { ksmStep } from "../ksm/scan";
import { closeStep, ForkCmd, forkStep } from "../mapping/lifecycle";
import { MadviseCmd, madviseStep } from "../mapping/madvise";
import { MlockCmd, mlockStep } from "../mapping/mlock";
import { MmapCmd, mmapStep } from "../mapping/mmap";
import { MprotectCmd, mprotectStep } from "../mapping/mprotect";
import { mremapStep } from "../mapping/mremap";
import { MremapCmd } from "../mapping/mremap-range";
import { MsyncCmd, msyncStep } from "../mapping/msync";
import { FileCmd, punchStep, truncateStep } from "../mapping/truncate";
import { UffdCmd, uffdStep } from "../mapping/uffd";
import { munmapStep } from "../mapping/unmap";
import { MigrateDeviceSetupCmd, MigrateMoveCmd, MigratePagesCmd, MigrateSetupCmd } from "../migrate/cmd";
import { migrateMoveStep } from "../migrate/move";
import { migratePagesStep } from "../migrate/pages";
import { migrateDeviceSetupStep, migrateSetupStep } from "../migrate/setup";
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
  OP_MIGRATE_MOVE,
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
  newPages,
} from "../operation/cmd";
import { notifyEnd } from "../operation/notify";
import { mmOf } from "../space/mm";

/**
 * Pushes a command over [start, end) of an mm. Null if there is no such mm or no free block: notBegun() says
 * which.
 */
export function begin(op: u32, mm: u32, start: f64, end: f64): Cmd {
  if (!exists(mmOf(mm))) return none<Cmd>();
  const cmd = commandPush(op, mm);
  if (!exists(cmd)) return cmd;
  cmd.start = <u64>start;
  cmd.end = <u64>end;
  cmd.cursor = cmd.start;
  return cmd;
}

/** The error of an entry whose begin() gave null. */
export function notBegun(mm: u32): i32 {
  return exists(mmOf(mm)) ? -ENOMEM : -EINVAL;
}

/**
 * Runs an operation until it ends or asks for something. At its end, lets go of what it still holds and pops
 * its block.
 */
export function run(cmd: Cmd): i32 {
  const result = step(cmd);
  if (result == REQUEST) return result;
  letGo(cmd);
  commandPop();
  return result;
}

/** Closes the windows that are open and frees the page that was to be a copy. */
function letGo(cmd: Cmd): void {
  notifyEnd(cmd);
  for (let i = newPages(cmd); i > 0; i--) putPage(cmd.newPage + i - 1);
}

/** The step function of each operation. */
function step(cmd: Cmd): i32 {
  switch (cmd.op) {
    case OP_MMAP:
      return mmapStep(changetype<MmapCmd>(cmd));
    case OP_MUNMAP:
      return munmapStep(cmd);
    case OP_MPROTECT:
      return mprotectStep(changetype<MprotectCmd>(cmd));
    case OP_MADVISE:
      return madviseStep(changetype<MadviseCmd>(cmd));
    case OP_MREMAP:
      return mremapStep(changetype<MremapCmd>(cmd));
    case OP_MLOCK:
      return mlockStep(changetype<MlockCmd>(cmd));
    case OP_FORK:
      return forkStep(changetype<ForkCmd>(cmd));
    case OP_CLOSE:
      return closeStep(cmd);
    case OP_ACCESS:
      return accessStep(changetype<AccessCmd>(cmd));
    case OP_FAULT:
      return faultStep(changetype<AccessCmd>(cmd));
    case OP_PIN:
      return pinStep(changetype<PinCmd>(cmd));
    case OP_RANGE_FAULT:
      return rangeFaultStep(changetype<RangeFaultCmd>(cmd));
    case OP_MIGRATE_SETUP:
      return migrateSetupStep(changetype<MigrateSetupCmd>(cmd));
    case OP_MIGRATE_DEVICE_SETUP:
      return migrateDeviceSetupStep(changetype<MigrateDeviceSetupCmd>(cmd));
    case OP_MIGRATE_MOVE:
      return migrateMoveStep(changetype<MigrateMoveCmd>(cmd));
    case OP_MIGRATE_PAGES:
      return migratePagesStep(changetype<MigratePagesCmd>(cmd));
    case OP_EXCLUSIVE:
      return exclusiveStep(changetype<ExclusiveCmd>(cmd));
    case OP_TRUNCATE:
      return truncateStep(changetype<FileCmd>(cmd));
    case OP_PUNCH:
      return punchStep(changetype<FileCmd>(cmd));
    case OP_MSYNC:
      return msyncStep(changetype<MsyncCmd>(cmd));
    case OP_UFFD:
      return uffdStep(changetype<UffdCmd>(cmd));
    case OP_KSM:
      return ksmStep(changetype<KsmCmd>(cmd));
  }
  return -EINVAL;
}

/**
 * Goes on with the operation on top of the stack, whose request has been served. Returns what run() returns.
 */
export function resume(): i32 {
  const cmd = commandTop();
  return exists(cmd) ? run(cmd) : -EINVAL;
}

/** Ends the operation on top of the stack where it stands: its request cannot be served now. */
export function cancel(): i32 {
  const cmd = commandTop();
  if (!exists(cmd)) return -EINVAL;
  cancelDeviceFault(cmd);
  letGo(cmd);
  if (cmd.op == OP_PIN) cancelPin(changetype<PinCmd>(cmd));
  if (cmd.op == OP_EXCLUSIVE) cancelExclusive(changetype<ExclusiveCmd>(cmd));
  commandPop();
  return 0;
}
