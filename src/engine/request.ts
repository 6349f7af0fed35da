import {
  HDR_REQ_ANSWER,
  HDR_REQ_DEVMEM,
  HDR_REQ_END,
  HDR_REQ_EVENT,
  HDR_REQ_FLAGS,
  HDR_REQ_KIND,
  HDR_REQ_MM,
  HDR_REQ_ORDER,
  HDR_REQ_OWNER,
  HDR_REQ_PAGE,
  HDR_REQ_SEQ,
  HDR_REQ_START,
  HDR_REQ_VMA,
} from "../../assembly/abi/header.ts";
import { REQUEST_DEVICE_FAULT, REQUEST_INVALIDATE } from "../../assembly/abi/request.ts";
import { VM_FAULT_ERROR, VM_FAULT_SIGBUS } from "../../assembly/uapi/vm.ts";
import type { HmmDevmem } from "../device/devmem.ts";
import type { Mm } from "../space/mm.ts";
import { Vma } from "../space/vma.ts";
import type { Context } from "./context.ts";
import { badType } from "./errors.ts";

/** VM_FAULT_* bits; 0: the page was brought back, try the access again. */
export type VmFault = number;

/** What is about to change: `struct mmu_notifier_range`. */
export interface MmuNotifierRange {
  mm: Mm;
  /** First byte. */
  start: number;
  /** End, exclusive. */
  end: number;
  /** MMU_NOTIFY_*: why. */
  event: number;
  /** The owner that the operation names (MMU_NOTIFY_MIGRATE, MMU_NOTIFY_EXCLUSIVE), else null. */
  owner: unknown;
}

/** @internal Somebody who hears of an mm's invalidations. */
export interface Subscriber {
  /** The core's id of the subscription. */
  readonly notifier: number;
  readonly start: number;
  /** Inclusive. */
  readonly last: number;
  readonly closed: boolean;
  /** false: the event is the subscriber's own, and ignored. */
  notify(range: MmuNotifierRange, seq: number): boolean;
}

/** A device fault request, read before anything else can write the request block. */
export interface FaultRequest {
  mm: Mm;
  devmem: HmmDevmem;
  vma: Vma;
  address: number;
  page: number;
  flags: number;
  order: number;
}

/** Serves the request that the core has written. Never throws: what callbacks throw is kept in the context. */
export function serve(ctx: Context): void {
  const { mem } = ctx;
  const kind = mem.header(HDR_REQ_KIND);
  if (kind === REQUEST_INVALIDATE) {
    const mm = mmOf(ctx);
    const range: MmuNotifierRange = {
      mm,
      start: mem.headerF64(HDR_REQ_START),
      end: mem.headerF64(HDR_REQ_END),
      event: mem.header(HDR_REQ_EVENT),
      owner: ctx.owners.value(mem.header(HDR_REQ_OWNER)),
    };
    invalidate(ctx, range, mem.header(HDR_REQ_SEQ));
  } else if (kind === REQUEST_DEVICE_FAULT) {
    const answer = deviceFault(ctx, readFaultRequest(ctx));
    mem.setHeader(HDR_REQ_ANSWER, answer);
  } else {
    throw new Error(`the core asks for something unknown (${kind})`);
  }
}

function mmOf(ctx: Context): Mm {
  const mm = ctx.mms.get(ctx.mem.header(HDR_REQ_MM));
  if (mm === undefined) throw new Error(`the core names an unknown mm (${ctx.mem.header(HDR_REQ_MM)})`);
  return mm;
}

/** Tracked snapshots first, then the subscribers, most recently registered first. */
function invalidate(ctx: Context, range: MmuNotifierRange, seq: number): void {
  const { mm, start, end } = range;
  mm.invalidateRanges(start, end);
  // The list is replaced, not changed, when somebody subscribes or leaves: it may happen in a callback.
  const subscribers = mm.subscribers;
  ctx.depth++;
  ctx.invalidating++;
  for (let i = subscribers.length - 1; i >= 0; i--) {
    const subscriber = subscribers[i];
    if (subscriber.last < start || subscriber.start >= end || subscriber.closed) continue;
    let heard = true;
    try {
      heard = subscriber.notify(range, seq);
    } catch (error) {
      ctx.keep(error);
    }
    if (heard && !subscriber.closed) ctx.core.notifierSetSeq(subscriber.notifier, seq);
  }
  ctx.invalidating--;
  ctx.depth--;
}

/** The device fault that the core asks about. */
export function readFaultRequest(ctx: Context): FaultRequest {
  const { mem } = ctx;
  const mm = mmOf(ctx);
  const devmem = ctx.devmems.get(mem.header(HDR_REQ_DEVMEM));
  if (devmem === undefined)
    throw new Error(`the core names an unknown devmem (${mem.header(HDR_REQ_DEVMEM)})`);
  return {
    mm,
    devmem,
    vma: new Vma(mm, ctx, mem.header(HDR_REQ_VMA)),
    address: mem.headerF64(HDR_REQ_START),
    page: mem.header(HDR_REQ_PAGE),
    flags: mem.header(HDR_REQ_FLAGS),
    order: mem.header(HDR_REQ_ORDER),
  };
}

function deviceFault(ctx: Context, request: FaultRequest): VmFault {
  const { devmem, vma, address, page, flags, order } = request;
  ctx.faults.push(request);
  ctx.depth++;
  try {
    return checkFaultAnswer(ctx, devmem.ops.fault(devmem, vma, address, page, flags, order));
  } catch (error) {
    ctx.faultCause = error;
    return VM_FAULT_SIGBUS;
  } finally {
    ctx.depth--;
    ctx.faults.pop();
  }
}

/** What a driver's fault callback may answer. Anything else is SIGBUS, with a TypeError as the access's cause. */
export function checkFaultAnswer(ctx: Context, answer: unknown): VmFault {
  if (answer === undefined) return 0;
  if (typeof answer !== "number" || !Number.isInteger(answer) || answer < 0) {
    throw badType(
      "devmem.ops.fault",
      "the answer",
      "VM_FAULT_* bits (faultAsync may return a promise)",
      answer,
    );
  }
  if ((answer & VM_FAULT_ERROR) === 0) ctx.faultCause = undefined;
  return answer;
}
