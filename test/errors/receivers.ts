import type { World } from "./world.ts";

/** The objects on which the methods of a class are called. */
export interface Receiver {
  open: (w: World) => object;
  /** A closed object, and the message of its methods. */
  closed?: (w: World) => object;
  closedSays?: RegExp;
  /** The object's name in messages. */
  op: string;
}

export const RECEIVERS: Record<string, Receiver> = {
  Hmm: { open: (w) => w.hmm, op: "hmm" },
  Mm: { open: (w) => w.mm, closed: (w) => w.closed.mm, closedSays: /the mm is closed/, op: "mm" },
  Vma: {
    open: (w) => w.vma,
    closed: (w) => w.closed.vma,
    closedSays: /vma is stale.*mm\.findVma/,
    op: "vma",
  },
  Pin: { open: (w) => w.pin, closed: (w) => w.closed.pin, op: "pin" },
  MmapSem: { open: (w) => w.mm.mmapSem, op: "mmapSem" },
  MmapGuard: { open: (w) => w.guard, closed: (w) => w.closed.guard, op: "guard" },
  Memcg: { open: (w) => w.memcg, closed: (w) => w.closed.memcg, closedSays: /memcg is closed/, op: "memcg" },
  HmmMirror: { open: (w) => w.mirror, closed: (w) => w.closed.mirror, op: "mirror" },
  HmmRange: { open: (w) => w.range, op: "range" },
  MmuIntervalNotifier: {
    open: (w) => w.notifier,
    closed: (w) => w.closed.notifier,
    closedSays: /the notifier is closed/,
    op: "notifier",
  },
  HmmDevmem: {
    open: (w) => w.devmem,
    closed: (w) => w.closed.devmem,
    closedSays: /the devmem was removed/,
    op: "devmem",
  },
  Migration: {
    open: (w) => w.migration,
    closed: (w) => w.closed.migration,
    closedSays: /the migration is finalized/,
    op: "migration",
  },
  ExclusivePages: { open: (w) => w.lent, closed: (w) => w.closed.lent, op: "exclusivePages" },
  HmmFile: {
    open: (w) => w.file,
    closed: (w) => w.closed.file,
    closedSays: /the file is closed/,
    op: "file",
  },
  Lock: { open: (w) => w.lock, op: "lock" },
  ScheduleError: { open: (w) => w.failure, op: "scheduleError" },
  MigrateResult: { open: (w) => w.result, op: "result" },
  DeviceTable: {
    open: (w) => w.table,
    closed: (w) => w.closed.table,
    closedSays: /the device table is closed/,
    op: "deviceTable",
  },
  PfnArray: { open: (w) => w.pfns, closed: (w) => w.closed.pfns, op: "pfnArray" },
  AddressArray: { open: (w) => w.addresses, closed: (w) => w.closed.addresses, op: "addressArray" },
  DmirrorDevice: {
    open: (w) => w.device,
    closed: (w) => w.closed.device,
    closedSays: /was removed/,
    op: "dmirrorDevice",
  },
  Dmirror: {
    open: (w) => w.dmirror,
    closed: (w) => w.closed.dmirror,
    closedSays: /the mirror is closed/,
    op: "dmirror",
  },
  DelayedDevice: { open: (w) => w.delayed, closed: (w) => w.closed.delayed, op: "delayedDevice" },
  Checkpoint: { open: (w) => w.point, op: "checkpoint" },
  Random: { open: (w) => w.random, op: "random" },
};
