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
import {
  REQUEST,
  REQUEST_DEVICE_FAULT,
  REQUEST_INVALIDATE,
  REQUEST_STEP,
} from "../../assembly/abi/request.ts";
import { VM_FAULT_ERROR, VM_FAULT_SIGBUS } from "../../assembly/uapi/vm.ts";
import type { Context } from "./context.ts";
import { badType, show } from "./errors.ts";
import { describeVmFault } from "./names.ts";
import type { MmuNotifyEvent, VmFault } from "./protocol.ts";
import type { AddressSpace, DeviceMemory, FaultRequest, Invalidation } from "./registry.ts";

/**
 * Runs an operation to its end: serves each of its requests and resumes it. `answer` is the operation's first
 * one.
 */
export function run(ctx: Context, answer: number): number {
  while (answer === REQUEST) {
    serve(ctx);
    answer = ctx.core.resume();
  }
  return answer;
}

/**
 * Serves the request that the core has written. Never throws: what callbacks throw is kept in the context.
 */
export function serve(ctx: Context): void {
  const { mem } = ctx;
  const kind = mem.header(HDR_REQ_KIND);
  if (kind === REQUEST_INVALIDATE) {
    const mm = mmOf(ctx);
    const range: Invalidation = {
      mm,
      start: mem.headerF64(HDR_REQ_START),
      end: mem.headerF64(HDR_REQ_END),
      event: mem.header(HDR_REQ_EVENT) as MmuNotifyEvent,
      owner: ctx.owners.value(mem.header(HDR_REQ_OWNER)),
    };
    invalidate(ctx, range, mem.header(HDR_REQ_SEQ));
  } else if (kind === REQUEST_DEVICE_FAULT) {
    const answer = deviceFault(ctx, readFaultRequest(ctx));
    mem.setHeader(HDR_REQ_ANSWER, answer);
  } else if (kind === REQUEST_STEP) {
    ctx.onStep?.(mem.header(HDR_REQ_EVENT));
  } else {
    throw new Error(`the core makes an unknown request (${kind})`);
  }
}

function mmOf(ctx: Context): AddressSpace {
  const mm = ctx.mms.get(ctx.mem.header(HDR_REQ_MM));
  if (mm === undefined) throw new Error(`the core names an unknown mm (${ctx.mem.header(HDR_REQ_MM)})`);
  return mm;
}

/**
 * Invalidates the tracked ranges first, then tells the subscribers, the most recently registered one first.
 */
function invalidate(ctx: Context, range: Invalidation, seq: number): void {
  const { mm, start, end } = range;
  mm.invalidateRanges(start, end);
  // A callback may subscribe or unsubscribe: that replaces the list, and this loop keeps the old one.
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

/** Reads the device fault that the core asks for, before another request overwrites the request block. */
export function readFaultRequest(ctx: Context): FaultRequest {
  const { mem } = ctx;
  const mm = mmOf(ctx);
  const devmem = ctx.devmems.get(mem.header(HDR_REQ_DEVMEM));
  if (devmem === undefined)
    throw new Error(`the core names an unknown devmem (${mem.header(HDR_REQ_DEVMEM)})`);
  return {
    mm,
    devmem,
    vma: mm.vmaAt(mem.header(HDR_REQ_VMA)),
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
    const answer = checkFaultAnswer(devmem.fault(vma, address, page, flags, order));
    if ((answer & VM_FAULT_ERROR) === 0) ctx.forgetFault();
    else ctx.faultBlame = blame(devmem, "fault", answer);
    return answer;
  } catch (error) {
    ctx.faultCause = error;
    ctx.faultBlame = blame(devmem, "fault", error);
    return VM_FAULT_SIGBUS;
  } finally {
    ctx.depth--;
    ctx.faults.pop();
  }
}

/** Says that a driver's callback is the culprit: `did` is the number that it answered, or what it threw. */
export function blame(devmem: DeviceMemory, callback: string, did: unknown): string {
  const what =
    typeof did === "number"
      ? `answered ${describeVmFault(did)}`
      : `threw ${did instanceof Error ? did : show(did)}`;
  return `the ${callback} callback of ${devmem.id} ${what}`;
}

/** Checks what a driver's fault callback answered. Throws TypeError, the cause of the access's SIGBUS. */
export function checkFaultAnswer(answer: unknown): VmFault {
  if (answer === undefined) return 0;
  if (typeof answer !== "number" || !Number.isInteger(answer) || answer < 0) {
    throw badType(
      "devmem.ops.fault",
      "the answer",
      "VM_FAULT_* bits (faultAsync may return a promise)",
      answer,
    );
  }
  return answer;
}
