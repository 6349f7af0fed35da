// Interval notifiers (Linux: mmu_interval_notifier). Before the entries of a range change, its subscribers
// are told. The mm's sequence number is odd from then until the change is made.
//
//   notifyStart ── does anybody subscribe? ──no──▶ true: make the change
//        │ yes
//        ▼
//   false: REQUEST ──TypeScript tells them──▶ resume(): notifyStart ──▶ true: make the change … notifyEnd
//
// A subscription may be bound to a device table: the core itself makes the table follow, and the operation
// goes on at once unless somebody has a callback.
//
//   mm.seq         odd while an invalidation that concerns a notifier is under way, else even
//   notifier.seq   the mm's number when the notifier was last told; readers with another number retry

import { EAGAIN, EINVAL, ENOMEM, EOVERFLOW } from "../../uapi/errno";
import { COUNT_INVALIDATE, COUNT_REQUEST } from "../../abi/counter";
import {
  HDR_REQ_END,
  HDR_REQ_EVENT,
  HDR_REQ_KIND,
  HDR_REQ_MM,
  HDR_REQ_OWNER,
  HDR_REQ_SEQ,
  HDR_REQ_START,
} from "../../abi/header";
import { LOG_INVALIDATE } from "../../abi/log";
import { NOTIFIER_TOLD } from "../../abi/object";
import { RESOURCE_NOTIFIER } from "../../abi/pool";
import { REQUEST_INVALIDATE } from "../../abi/request";
import { MMU_NOTIFY_CLEAR, MMU_NOTIFY_MIGRATE, MMU_NOTIFY_PROTECTION_PAGE } from "../../uapi/event";
import { PAGE_SIZE } from "../../uapi/page";
import { NOTIFIER_SIZE, setHeader, setHeaderF64 } from "../base/layout";
import { exists } from "../base/object";
import { poolAlloc, poolFree, poolHigh, poolId, poolObject } from "../base/pool";
import { count, log } from "../base/stat";
import {
  clearDeviceRange,
  deviceTableDestroy,
  deviceTableOf,
  protectDeviceRange,
} from "../space/device-table";
import { Mm, mmAt, mmOf } from "../space/mm";
import { Cmd } from "./cmd";

/** A subscription to the bytes [start, last] of an address space. */
@unmanaged
class Notifier {
  /** The mm's next notifier. */
  next: u32;
  /** The mm's id; 0: the object is not in use. */
  mm: u32;
  start: u64;
  /** The last byte, inclusive as in Linux. */
  last: u64;
  /** The mm's sequence number when the notifier was last told. */
  seq: u32;
  /** The device table that follows the CPU's entries; 0: none. */
  table: u32;
  /** The owner whose own migrations leave the table as it is; 0: none. */
  owner: u32;
  /** 1: a callback is told, as it is of a subscription without a table. */
  watched: u32;
  /** How often the table was told, by MMU_NOTIFY_* (u32 each). */
  told: u64;
  told2: u64;
  told3: u64;
  told4: u64;
}

if (offsetof<Notifier>() != NOTIFIER_SIZE) ERROR("NOTIFIER_SIZE");
if (offsetof<Notifier>("told") != NOTIFIER_TOLD) ERROR("NOTIFIER_TOLD");

/** The notifier at an address; null for 0. */
@inline
function notifierAt(ptr: usize): Notifier {
  return changetype<Notifier>(ptr);
}

/** The notifier of an id; null for an id that names none. */
function notifierOf(id: u32): Notifier {
  if (!id || id > poolHigh(RESOURCE_NOTIFIER)) return notifierAt(0);
  const notifier = notifierAt(poolObject(RESOURCE_NOTIFIER, id));
  return notifier.mm ? notifier : notifierAt(0);
}

/**
 * mmu_interval_notifier_insert: subscribes to the bytes [start, last] of an mm. Returns the notifier's id,
 * -EINVAL for an id that is no mm's, -EOVERFLOW for an empty range, or -ENOMEM.
 */
export function notifierInsert(mmId: u32, start: f64, last: f64): i32 {
  const mm = mmOf(mmId);
  if (!exists(mm)) return -EINVAL;
  if (last < start) return -EOVERFLOW;
  const notifier = notifierAt(poolAlloc(RESOURCE_NOTIFIER));
  if (!exists(notifier)) return -ENOMEM;
  notifier.mm = mmId;
  notifier.start = <u64>start;
  notifier.last = <u64>last;
  // Readers must retry until an invalidation that is under way has ended. Otherwise the number is an odd one,
  // which the mm never has while it is idle, so that the first read succeeds.
  notifier.seq = mm.invalidations ? mm.seq | 1 : mm.seq - 1;
  if (mm.invalidations) mm.seq |= 1;
  notifier.next = mm.notifiers;
  mm.notifiers = <u32>changetype<usize>(notifier);
  return poolId(RESOURCE_NOTIFIER, changetype<usize>(notifier));
}

/**
 * Binds a subscription to a device table of its mm: whenever the subscribers are told, the core drops the
 * table's entries, or takes the right to write from them (MMU_NOTIFY_PROTECTION_PAGE), unless the change is a
 * migration of `owner`. `watched`: a callback is told too. Returns 0, or -EINVAL.
 */
export function notifierBind(id: u32, tableId: u32, owner: u32, watched: u32): i32 {
  const notifier = notifierOf(id);
  const table = deviceTableOf(tableId);
  if (!exists(notifier) || !exists(table) || table.mm != notifier.mm) return -EINVAL;
  notifier.table = tableId;
  notifier.owner = owner;
  notifier.watched = watched;
  return 0;
}

/** Destroys a device table; subscriptions that are bound to it no longer are. Returns 0, or -EINVAL. */
export function deviceTableClose(id: u32): i32 {
  const table = deviceTableOf(id);
  if (exists(table) && table.mm) {
    for (let at: usize = mmAt(table.mm).notifiers; at; at = notifierAt(at).next)
      if (notifierAt(at).table == id) notifierAt(at).table = 0;
  }
  return deviceTableDestroy(id);
}

/** mmu_interval_notifier_remove: ends a subscription. Returns 0 or -EINVAL. */
export function notifierRemove(id: u32): i32 {
  const notifier = notifierOf(id);
  if (!exists(notifier)) return -EINVAL;
  const mm = mmAt(notifier.mm);
  const self = <u32>changetype<usize>(notifier);
  if (mm.notifiers == self) {
    mm.notifiers = notifier.next;
  } else {
    let at = notifierAt(mm.notifiers);
    while (at.next != self) at = notifierAt(at.next);
    at.next = notifier.next;
  }
  notifier.mm = 0;
  poolFree(RESOURCE_NOTIFIER, changetype<usize>(notifier));
  return 0;
}

/**
 * mmu_interval_read_begin: returns the sequence number for notifierReadRetry(), -EAGAIN while an invalidation
 * of the notifier's range is under way, or -EINVAL.
 */
export function notifierReadBegin(id: u32): i32 {
  const notifier = notifierOf(id);
  if (!exists(notifier)) return -EINVAL;
  const mm = mmAt(notifier.mm);
  return notifier.seq == mm.seq ? -EAGAIN : <i32>(notifier.seq & 0x7fffffff);
}

/**
 * mmu_interval_read_retry: returns 1 if the range was invalidated since notifierReadBegin() returned `seq`,
 * 0, or -EINVAL.
 */
export function notifierReadRetry(id: u32, seq: u32): i32 {
  const notifier = notifierOf(id);
  if (!exists(notifier)) return -EINVAL;
  return (notifier.seq & 0x7fffffff) == seq ? 0 : 1;
}

/** mmu_interval_set_seq: the callback of an invalidation stores its number. Returns 0 or -EINVAL. */
export function notifierSetSeq(id: u32, seq: u32): i32 {
  const notifier = notifierOf(id);
  if (!exists(notifier)) return -EINVAL;
  notifier.seq = seq;
  return 0;
}

/** Was the subscription invalidated since notifierReadBegin() returned `seq`, or removed? */
export function notifierStale(id: u32, seq: u32): bool {
  return notifierReadRetry(id, seq) != 0;
}

/** Does a notifier of the mm subscribe to some address of [start, end)? */
export function anybodyListens(mm: Mm, start: u64, end: u64): bool {
  return listeners(mm, start, end) != NOBODY;
}

/** Would a callback be told of a change of [start, end)? */
export function anybodyIsAsked(mm: Mm, start: u64, end: u64): bool {
  return listeners(mm, start, end) == CALLBACKS;
}

// ── Windows
// ───────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * mmu_notifier_invalidate_range_start: announces that the entries of [start, end) of an mm will change;
 * `event` is MMU_NOTIFY_*, `owner` the device that causes the change (0: none). True: the caller makes the
 * change, then calls notifyEnd(). False: the operation returns REQUEST, and must call this again with the
 * same arguments when it is resumed.
 */
export function notifyStart(cmd: Cmd, mmId: u32, start: u64, end: u64, event: u32, owner: u32): bool {
  if (cmd.windowMm) {
    const same =
      cmd.windowMm == mmId && cmd.windowEvent == event && cmd.windowStart == start && cmd.windowEnd == end;
    if (same) return true;
    // The callbacks changed what the operation finds: nothing will change in this window.
    notifyEnd(cmd);
  }
  const heard = announce(mmId, start, end, event, owner);
  if (heard == NOBODY) return true;
  cmd.windowMm = mmId;
  cmd.windowEvent = event;
  cmd.windowStart = start;
  cmd.windowEnd = end;
  return heard == TABLES;
}

/**
 * notifyStart() of a `clear` event that may come inside another window, which stays open: a huge page in the
 * range is split.
 */
export function innerStart(cmd: Cmd, mmId: u32, start: u64, end: u64): bool {
  if (cmd.innerMm) {
    if (cmd.innerMm == mmId && cmd.innerStart == start && cmd.innerEnd == end) return true;
    innerEnd(cmd);
  }
  const heard = announce(mmId, start, end, MMU_NOTIFY_CLEAR, 0);
  if (heard == NOBODY) return true;
  cmd.innerMm = mmId;
  cmd.innerStart = start;
  cmd.innerEnd = end;
  return heard == TABLES;
}

/** Who listens to a change: nobody, tables alone, which have followed by then, or callbacks too. */
const NOBODY: i32 = 0;
const TABLES: i32 = 1;
const CALLBACKS: i32 = 2;

/**
 * Opens a window if somebody listens to [start, end), and makes the tables that are bound follow. Writes the
 * request block if callbacks are to be told.
 */
function announce(mmId: u32, start: u64, end: u64, event: u32, owner: u32): i32 {
  const mm = mmAt(mmId);
  if (!mm.notifiers) return NOBODY;
  const heard = listeners(mm, start, end);
  if (heard == NOBODY) return NOBODY;
  mm.invalidations++;
  mm.seq |= 1;
  count(COUNT_INVALIDATE);
  const pages = (end - start) >> 12;
  log(LOG_INVALIDATE, mmId, start, event, pages > 0xffffffff ? 0xffffffff : <u32>pages);
  tellTables(mm, start, end, event, owner);
  if (heard == TABLES) return TABLES;
  setHeader(HDR_REQ_KIND, REQUEST_INVALIDATE);
  setHeader(HDR_REQ_MM, mmId);
  setHeader(HDR_REQ_EVENT, event);
  setHeader(HDR_REQ_OWNER, owner);
  setHeaderF64(HDR_REQ_START, start);
  setHeaderF64(HDR_REQ_END, end);
  setHeader(HDR_REQ_SEQ, mm.seq);
  count(COUNT_REQUEST);
  return CALLBACKS;
}

/** Does a notifier subscribe to some address of [start, end)? */
@inline
function concerns(notifier: Notifier, start: u64, end: u64): bool {
  return notifier.start < end && start <= notifier.last;
}

/** Who subscribes to some address of [start, end). */
function listeners(mm: Mm, start: u64, end: u64): i32 {
  let heard = NOBODY;
  for (let at: usize = mm.notifiers; at; at = notifierAt(at).next) {
    const notifier = notifierAt(at);
    if (!concerns(notifier, start, end)) continue;
    if (!notifier.table || notifier.watched) return CALLBACKS;
    heard = TABLES;
  }
  return heard;
}

/** The tables that are bound to a subscription follow the change that [start, end) is about to see. */
function tellTables(mm: Mm, start: u64, end: u64, event: u32, owner: u32): void {
  const from = start & ~(<u64>PAGE_SIZE - 1);
  const to = (end + PAGE_SIZE - 1) & ~(<u64>PAGE_SIZE - 1);
  for (let at: usize = mm.notifiers; at; at = notifierAt(at).next) {
    const notifier = notifierAt(at);
    if (!notifier.table || !concerns(notifier, start, end)) continue;
    const told = at + NOTIFIER_TOLD + event * 4;
    store<u32>(told, load<u32>(told) + 1);
    if (event == MMU_NOTIFY_MIGRATE && owner && owner == notifier.owner) continue;
    const table = deviceTableOf(notifier.table);
    if (event == MMU_NOTIFY_PROTECTION_PAGE) protectDeviceRange(table, from, to);
    else clearDeviceRange(table, from, to);
    notifier.seq = mm.seq;
  }
}

/**
 * mmu_notifier_invalidate_range_end: the change is made. Closes the command's windows; without one it does
 * nothing.
 */
export function notifyEnd(cmd: Cmd): void {
  innerEnd(cmd);
  if (!cmd.windowMm) return;
  closeWindow(mmAt(cmd.windowMm));
  cmd.windowMm = 0;
}

/** Ends what innerStart() began. */
export function innerEnd(cmd: Cmd): void {
  if (!cmd.innerMm) return;
  closeWindow(mmAt(cmd.innerMm));
  cmd.innerMm = 0;
}

/** Ends an invalidation; with the last one of the mm its sequence number is even again. */
function closeWindow(mm: Mm): void {
  mm.invalidations--;
  if (!mm.invalidations && mm.seq & 1) mm.seq++;
}
