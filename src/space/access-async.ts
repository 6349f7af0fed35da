import { EAGAIN, EFAULT, ENOMEM } from "../../assembly/uapi/errno.ts";
import { XBUF_SIZE } from "../../assembly/abi/argument.ts";
import { HDR_FAULT_KIND, HDR_REQ_DEVMEM, HDR_REQ_KIND } from "../../assembly/abi/header.ts";
import { REQUEST, REQUEST_DEVICE_FAULT } from "../../assembly/abi/request.ts";
import {
  FAULT_LOOP,
  FAULT_MAPERR,
  FAULT_OOM,
  FAULT_SIGBUS,
  VM_FAULT_ERROR,
  VM_FAULT_OOM,
  VM_FAULT_SIGSEGV,
} from "../../assembly/uapi/vm.ts";
import type { Context } from "../engine/context.ts";
import type { HmmError } from "../engine/errors.ts";
import { ELOOP, hex } from "../engine/errors.ts";
import type { FaultCode, FaultKind } from "../engine/protocol.ts";
import type { FaultRequest } from "../engine/registry.ts";
import { blame, checkFaultAnswer, readFaultRequest, serve } from "../engine/request.ts";
import {
  accessError,
  failed,
  faultFlags,
  faultLoop,
  FAULTS_MAX,
  issue,
  settled,
  take,
  type Access,
  type FaultOptions,
} from "./access.ts";
import type { Space } from "./space.ts";

/** Asynchronous faults on one page without progress, after which the access fails. */
const ASYNC_FAULTS_MAX = 16;

/** What an asynchronous access waits for before it goes on; null: nothing. */
type Wait = { migration: Promise<void> } | { fault: FaultRequest } | null;

/**
 * Serves requests like run(), but stops at a device fault that a driver serves asynchronously. The operation
 * is canceled then; the caller issues it again when the page is back.
 */
function runUntilAsync(ctx: Context, answer: number): { answer: number; fault: FaultRequest | null } {
  while (answer === REQUEST) {
    if (ctx.mem.header(HDR_REQ_KIND) === REQUEST_DEVICE_FAULT) {
      const devmem = ctx.devmems.get(ctx.mem.header(HDR_REQ_DEVMEM));
      if (devmem?.faultsAsync === true) {
        const fault = readFaultRequest(ctx);
        ctx.core.cancel();
        return { answer: 0, fault };
      }
    }
    serve(ctx);
    answer = ctx.core.resume();
  }
  return { answer, fault: null };
}

/** Does as much of the access as is possible without waiting. */
function advance(access: Access): Wait {
  const { op, ctx, mm, addr, bytes } = access;
  const { address, restore } = ctx.exchange(Math.min(bytes.length, XBUF_SIZE));
  try {
    while (access.done < bytes.length) {
      const asked = Math.min(bytes.length - access.done, XBUF_SIZE);
      const { answer, fault } = runUntilAsync(ctx, issue(access, address));
      if (fault !== null) {
        // Everything below the faulting page is done.
        const n = Math.max(0, Math.min(asked, fault.address - (addr + access.done)));
        take(access, address, n);
        return { fault };
      }
      if (answer > 0) take(access, address, answer);
      if (answer === asked) continue;
      const migration = ctx.metMigration()?.ended;
      if (migration !== undefined) return { migration };
      return ctx.abort(accessError(mm, op, answer, access.done));
    }
    return null;
  } finally {
    restore();
  }
}

/** Repeats `step`, with mmapSem held for read, until it has nothing to wait for. */
async function repeat(
  op: string,
  ctx: Context,
  mm: Space,
  step: () => Wait,
  progress: () => number,
): Promise<void> {
  let last = { address: -1, progress: -1, times: 0 };
  for (;;) {
    const guard = await mm.mmapSem.readAsync(op);
    let wait: Wait;
    try {
      mm.check(op);
      wait = step();
      if (wait !== null && "fault" in wait) {
        const { address } = wait.fault;
        const same = last.address === address && last.progress === progress();
        last = { address, progress: progress(), times: same ? last.times + 1 : 1 };
        if (last.times > ASYNC_FAULTS_MAX) throw loopError(ctx, op, address, progress());
        await faultAsync(op, ctx, mm, wait.fault, progress());
      }
    } finally {
      guard.close();
    }
    ctx.settle();
    if (wait === null) return;
    if ("migration" in wait) await wait.migration;
  }
}

function loopError(ctx: Context, op: string, address: number, done: number): HmmError {
  const detail = `the driver's faultAsync answers 0 and never moves the page at ${hex(address)}`;
  return ctx.error(op, ELOOP, detail, { faultCode: FAULT_LOOP, address, done });
}

/** Has the driver bring a page back: one call for each page, however many accesses wait for the page. */
async function faultAsync(
  op: string,
  ctx: Context,
  mm: Space,
  request: FaultRequest,
  done: number,
): Promise<void> {
  const { page } = request;
  const running = ctx.asyncFaults.get(page);
  if (running !== undefined) return running;
  const call = callDriver(op, ctx, request, done);
  // Other accesses only wait for the end: the error belongs to the first one.
  const ended = call.catch(() => undefined);
  ctx.asyncFaults.set(page, ended);
  mm.mmapSem.nest(1);
  try {
    await call;
  } finally {
    mm.mmapSem.nest(-1);
    ctx.asyncFaults.delete(page);
  }
}

async function callDriver(op: string, ctx: Context, request: FaultRequest, done: number): Promise<void> {
  const { devmem, vma, address, page, flags, order } = request;
  const at = `at ${hex(address)}`;
  let answer: number;
  let cause: unknown;
  let culprit: string;
  try {
    answer = checkFaultAnswer(await devmem.faultAsync(vma, address, page, flags, order));
    if ((answer & VM_FAULT_ERROR) === 0) return;
    culprit = blame(devmem, "faultAsync", answer);
  } catch (error) {
    answer = VM_FAULT_ERROR;
    cause = error;
    culprit = blame(devmem, "faultAsync", error);
  }
  const fail = (errno: number, detail: string, faultCode: FaultCode): HmmError =>
    ctx.error(op, errno, detail, { faultCode, address, done, cause });
  if (answer === VM_FAULT_OOM) throw fail(ENOMEM, `${culprit}, ${at}`, FAULT_OOM);
  if (answer === VM_FAULT_SIGSEGV) throw fail(EFAULT, `SEGV_MAPERR ${at}: ${culprit}`, FAULT_MAPERR);
  throw fail(EFAULT, `SIGBUS ${at}: ${culprit}`, FAULT_SIGBUS);
}

/** Runs a read or write to its end, waiting for migrations and asynchronous drivers. */
export async function accessAsync(access: Access): Promise<Uint8Array> {
  const { op, ctx, mm } = access;
  await repeat(
    op,
    ctx,
    mm,
    () => advance(access),
    () => access.done,
  );
  return access.bytes;
}

/** Mm.faultAsync. */
export async function faultAsyncOf(mm: Space, addr: number, options: FaultOptions): Promise<FaultKind> {
  const op = "mm.faultAsync";
  const flags = faultFlags(op, mm, addr, options);
  const { ctx } = mm;
  let kind = 0;
  const step = (): Wait => {
    for (let i = 0; i < FAULTS_MAX; i++) {
      const { answer, fault } = runUntilAsync(ctx, ctx.core.fault(mm.id, addr, flags));
      if (fault !== null) return { fault };
      if (failed(answer)) {
        const migration = answer === -EAGAIN ? ctx.metMigration()?.ended : undefined;
        if (migration !== undefined) return { migration };
        return ctx.abort(accessError(mm, op, answer, 0));
      }
      kind = ctx.mem.header(HDR_FAULT_KIND);
      if (settled(ctx, mm, addr, flags)) return null;
    }
    return ctx.abort(faultLoop(ctx, op, addr));
  };
  await repeat(op, ctx, mm, step, () => 0);
  return kind as FaultKind;
}
