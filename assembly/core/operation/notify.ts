// Interval notifiers (Linux: mmu_interval_notifier). Before entries of a range change, whoever subscribed to it is
// told; the mm's sequence number is odd from then until the change is made.
//
//   notifyStart ── subscribers? ──no──▶ true: go ahead
//        │ yes
//        ▼
//   REQUEST_INVALIDATE ──TypeScript tells them──▶ resume(): notifyStart again ──▶ true: go ahead … notifyEnd

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
import { RESOURCE_NOTIFIER } from "../../abi/pool";
import { REQUEST_INVALIDATE } from "../../abi/request";
import { MMU_NOTIFY_CLEAR } from "../../uapi/event";
import { NOTIFIER_SIZE, setHeader, setHeaderF64 } from "../base/layout";
import { exists } from "../base/object";
import { poolAlloc, poolFree, poolHigh, poolId, poolObject } from "../base/pool";
import { count, log } from "../base/stat";
import { Mm, mmAt, mmOf } from "../space/mm";
import { Cmd } from "./cmd";


@unmanaged
export class Notifier {
  next: u32;
  /** 0: not in use */
  mm: u32;
  start: u64;
  /** inclusive */
  last: u64;
  seq: u32;
  unused: u32;
}

if (offsetof<Notifier>() != NOTIFIER_SIZE) ERROR("NOTIFIER_SIZE");


@inline
function notifierAt(ptr: usize): Notifier {
  return changetype<Notifier>(ptr);
}

function notifierOf(id: u32): Notifier {
  if (!id || id > poolHigh(RESOURCE_NOTIFIER)) return notifierAt(0);
  const notifier = notifierAt(poolObject(RESOURCE_NOTIFIER, id));
  return notifier.mm ? notifier : notifierAt(0);
}

export function notifierInsert(mmId: u32, start: f64, last: f64): i32 {
  const mm = mmOf(mmId);
  if (!exists(mm)) return -EINVAL;
  if (last < start) return -EOVERFLOW;
  const notifier = notifierAt(poolAlloc(RESOURCE_NOTIFIER));
  if (!exists(notifier)) return -ENOMEM;
  notifier.mm = mmId;
  notifier.start = <u64>start;
  notifier.last = <u64>last;
  // Born inside an invalidation that runs now; else with an odd number that the mm never has when idle.
  notifier.seq = mm.invalidations ? mm.seq | 1 : mm.seq - 1;
  if (mm.invalidations) mm.seq |= 1;
  notifier.next = mm.notifiers;
  mm.notifiers = <u32>changetype<usize>(notifier);
  return poolId(RESOURCE_NOTIFIER, changetype<usize>(notifier));
}

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

export function notifierReadBegin(id: u32): i32 {
  const notifier = notifierOf(id);
  if (!exists(notifier)) return -EINVAL;
  const mm = mmAt(notifier.mm);
  return notifier.seq == mm.seq ? -EAGAIN : <i32>(notifier.seq & 0x7fffffff);
}

export function notifierReadRetry(id: u32, seq: u32): i32 {
  const notifier = notifierOf(id);
  if (!exists(notifier)) return -EINVAL;
  return (notifier.seq & 0x7fffffff) == seq ? 0 : 1;
}

export function notifierSetSeq(id: u32, seq: u32): i32 {
  const notifier = notifierOf(id);
  if (!exists(notifier)) return -EINVAL;
  notifier.seq = seq;
  return 0;
}

/** Was the subscription invalidated since seq was taken? Also true when it is gone. */
export function notifierStale(id: u32, seq: u32): bool {
  return notifierReadRetry(id, seq) != 0;
}

/** Is there a subscription to some address of [start, end)? */
export function anybodyListens(mm: Mm, start: u64, end: u64): bool {
  for (let at: usize = mm.notifiers; at; at = notifierAt(at).next) {
    if (notifierAt(at).start < end && start <= notifierAt(at).last) return true;
  }
  return false;
}

/**
 * Announces that entries of [start, end) of mm will change. True: go ahead, and call notifyEnd() after the change.
 * False: return REQUEST; the operation will be resumed and must come here again with the same range.
 */
export function notifyStart(cmd: Cmd, mmId: u32, start: u64, end: u64, event: u32, owner: u32): bool {
  if (cmd.windowMm) {
    const same =
      cmd.windowMm == mmId && cmd.windowEvent == event && cmd.windowStart == start && cmd.windowEnd == end;
    if (same) return true;
    // The plan changed while drivers ran: this window is about nothing any more.
    notifyEnd(cmd);
  }
  if (!announce(mmId, start, end, event, owner)) return true;
  cmd.windowMm = mmId;
  cmd.windowEvent = event;
  cmd.windowStart = start;
  cmd.windowEnd = end;
  return false;
}

/** As notifyStart(), of `clear` events inside a window that stays open (or may): a huge page there is split. */
export function innerStart(cmd: Cmd, mmId: u32, start: u64, end: u64): bool {
  if (cmd.innerMm) {
    if (cmd.innerMm == mmId && cmd.innerStart == start && cmd.innerEnd == end) return true;
    innerEnd(cmd);
  }
  if (!announce(mmId, start, end, MMU_NOTIFY_CLEAR, 0)) return true;
  cmd.innerMm = mmId;
  cmd.innerStart = start;
  cmd.innerEnd = end;
  return false;
}

/** Opens a window, and makes the request. False if nobody listens. */
function announce(mmId: u32, start: u64, end: u64, event: u32, owner: u32): bool {
  const mm = mmAt(mmId);
  if (!mm.notifiers || !anybodyListens(mm, start, end)) return false;
  mm.invalidations++;
  mm.seq |= 1;
  setHeader(HDR_REQ_KIND, REQUEST_INVALIDATE);
  setHeader(HDR_REQ_MM, mmId);
  setHeader(HDR_REQ_EVENT, event);
  setHeader(HDR_REQ_OWNER, owner);
  setHeaderF64(HDR_REQ_START, start);
  setHeaderF64(HDR_REQ_END, end);
  setHeader(HDR_REQ_SEQ, mm.seq);
  count(COUNT_INVALIDATE);
  count(COUNT_REQUEST);
  const pages = (end - start) >> 12;
  log(LOG_INVALIDATE, mmId, start, event, pages > 0xffffffff ? 0xffffffff : <u32>pages);
  return true;
}

/** The change is made. */
export function notifyEnd(cmd: Cmd): void {
  innerEnd(cmd);
  if (!cmd.windowMm) return;
  closeWindow(mmAt(cmd.windowMm));
  cmd.windowMm = 0;
}

export function innerEnd(cmd: Cmd): void {
  if (!cmd.innerMm) return;
  closeWindow(mmAt(cmd.innerMm));
  cmd.innerMm = 0;
}

function closeWindow(mm: Mm): void {
  mm.invalidations--;
  if (!mm.invalidations && mm.seq & 1) mm.seq++;
}
