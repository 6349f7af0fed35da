import { EAGAIN, EFAULT, ENOMEM } from "../../assembly/uapi/errno.ts";
import { PTE_PRESENT, PTE_WRITE } from "../../assembly/uapi/pte.ts";
import { XBUF_SIZE } from "../../assembly/abi/argument.ts";
import { HDR_FAULT_ADDR, HDR_FAULT_CODE, HDR_FAULT_KIND } from "../../assembly/abi/header.ts";
import {
  ACCESS_FORCE,
  ACCESS_GUP,
  ACCESS_PIN,
  ACCESS_WRITE,
  FAULT_ACCERR,
  FAULT_LOOP,
  FAULT_MAPERR,
  FAULT_MIGRATION,
  FAULT_OOM,
  FAULT_SIGBUS,
  VM_FAULT_ERROR,
} from "../../assembly/uapi/vm.ts";
import type { Context } from "../engine/context.ts";
import type { HmmError, HmmErrorFields } from "../engine/errors.ts";
import {
  ADDRESS_LIMIT,
  badRange,
  badType,
  checkAddress,
  checkFlag,
  checkInteger,
  checkOptions,
  ELOOP,
  hex,
  roundDown,
} from "../engine/errors.ts";
import type { AccessFlags, FaultCode, FaultKind } from "../engine/protocol.ts";
import { run } from "../engine/request.ts";
import type { Space } from "./space.ts";

/** How memory is accessed. */
export interface AccessOptions {
  /**
   * The access ignores the mapping's protection, as a debugger's does (ptrace, FOLL_FORCE). Default false.
   */
  force?: boolean | undefined;
  /** The access stands for a system call of the process: the rules and errors are the same. Default false. */
  kernel?: boolean | undefined;
}

/** How a page is faulted in. */
export interface FaultOptions extends AccessOptions {
  /** The fault is for a write. Default false. */
  write?: boolean | undefined;
}

/** @internal One access in progress. */
export interface Access {
  op: string;
  ctx: Context;
  mm: Space;
  addr: number;
  bytes: Uint8Array;
  flags: AccessFlags;
  /** Bytes done so far. */
  done: number;
}

function accessFlags(op: string, options: AccessOptions): number {
  checkOptions(op, "options", options);
  checkFlag(op, "options.kernel", options.kernel);
  return checkFlag(op, "options.force", options.force) ? ACCESS_FORCE : 0;
}

/**
 * @internal Checks the arguments of a read or write. A `target` that is a number of bytes makes a new array.
 */
export function beginAccess(
  op: string,
  mm: Space,
  addr: number,
  target: unknown,
  write: boolean,
  options?: AccessOptions,
): Access {
  const ctx = mm.check(op);
  checkAddress(op, "addr", addr);
  let bytes: Uint8Array;
  if (target instanceof Uint8Array) bytes = target;
  else if (typeof target === "number" && !write)
    bytes = new Uint8Array(checkInteger(op, "length", target, 0, 2 ** 31));
  else throw badType(op, "bytes", write ? "a Uint8Array" : "a Uint8Array or a length", target);
  if (addr + bytes.length > ADDRESS_LIMIT)
    throw badRange(op, "length", "such that the range ends below 2^48", bytes.length);
  const flags = (write ? ACCESS_WRITE : 0) | (options === undefined ? 0 : accessFlags(op, options));
  return { op, ctx, mm, addr, bytes, flags, done: 0 };
}

/** @internal Makes the error of the access that just failed, from what the core reports about it. */
export function accessError(mm: Space, op: string, answer: number, done: number): HmmError {
  const { ctx } = mm;
  const faultCode = ctx.mem.header(HDR_FAULT_CODE) as FaultCode;
  const address = ctx.mem.headerF64(HDR_FAULT_ADDR);
  const fields: HmmErrorFields = { faultCode, address, done };
  const at = `at ${hex(address)}`;
  switch (faultCode) {
    case FAULT_MAPERR:
      return ctx.error(op, EFAULT, `SEGV_MAPERR ${at}: ${ctx.faultBlame || "no mapping"}`, fields);
    case FAULT_ACCERR:
      return ctx.error(op, EFAULT, `SEGV_ACCERR ${at}: no permission`, fields);
    case FAULT_SIGBUS:
      return ctx.error(op, EFAULT, `SIGBUS ${at}: ${ctx.faultBlame || "the page cannot be brought"}`, fields);
    case FAULT_OOM:
      return ctx.error(op, ENOMEM, `${ctx.faultBlame || ctx.exhausted() || "out of memory"}, ${at}`, fields);
    case FAULT_MIGRATION:
      return ctx.error(op, EAGAIN, undefined, fields);
    case FAULT_LOOP:
      return ctx.error(
        op,
        ELOOP,
        `the driver's fault callback answers 0 and never moves the page ${at}`,
        fields,
      );
    default:
      return ctx.error(op, answer < 0 ? -answer : EFAULT, undefined, fields);
  }
}

/** @internal Issues the next piece of an access to the core. Returns the core's answer. */
export function issue({ ctx, mm, addr, bytes, flags, done }: Access, buffer: number): number {
  const n = Math.min(bytes.length - done, XBUF_SIZE);
  if ((flags & ACCESS_WRITE) !== 0) ctx.mem.writeBytes(buffer, bytes, done, n);
  return ctx.core.access(mm.id, addr + done, n, flags);
}

/** @internal Takes over the n bytes of a piece that the core has done. */
export function take(access: Access, buffer: number, n: number): void {
  if ((access.flags & ACCESS_WRITE) === 0) access.ctx.mem.readBytes(buffer, access.bytes, access.done, n);
  access.done += n;
}

/** @internal Runs a read or write to its end. Throws HmmError with the bytes that were done. */
export function accessSync(access: Access): Uint8Array {
  const { op, ctx, mm, bytes } = access;
  let error: HmmError | null = null;
  mm.mmapSem.enterRead(op);
  try {
    const { address, restore } = ctx.exchange(Math.min(bytes.length, XBUF_SIZE));
    while (access.done < bytes.length && error === null) {
      const asked = Math.min(bytes.length - access.done, XBUF_SIZE);
      const answer = run(ctx, issue(access, address));
      if (answer > 0) take(access, address, answer);
      if (answer !== asked) error = accessError(mm, op, answer, access.done);
    }
    restore();
  } finally {
    mm.mmapSem.leaveRead(op);
  }
  if (error !== null) ctx.abort(error);
  ctx.settle();
  return bytes;
}

/** @internal mm.load32 where the fast path fails. */
export function slowLoad(mm: Space, addr: number): number {
  return accessWord(mm, "mm.load32", addr, 0, false);
}

/** @internal mm.store32 where the fast path fails. */
export function slowStore(mm: Space, addr: number, value: number): void {
  const op = "mm.store32";
  if (typeof value !== "number") throw badType(op, "value", "a number", value);
  if (!Number.isInteger(value) || value < -0x80000000 || value > 0xffffffff) {
    throw badRange(op, "value", "an integer of 32 bits", value);
  }
  accessWord(mm, op, addr, value, true);
}

/** Reads or writes one aligned word through the exchange buffer. Returns the word. */
function accessWord(mm: Space, op: string, addr: number, value: number, write: boolean): number {
  const ctx = mm.check(op);
  checkAddress(op, "addr", addr);
  if (roundDown(addr, 4) !== addr) throw badRange(op, "addr", "a multiple of 4", addr);
  let answer: number;
  let word: number;
  mm.mmapSem.enterRead(op);
  try {
    const { address, restore } = ctx.exchange(4);
    if (write) ctx.mem.setU32(address, value);
    answer = run(ctx, ctx.core.access(mm.id, addr, 4, write ? ACCESS_WRITE : 0));
    word = ctx.mem.u32(address);
    restore();
  } finally {
    mm.mmapSem.leaveRead(op);
  }
  if (answer !== 4) ctx.abort(accessError(mm, op, answer, 0));
  ctx.settle();
  return word;
}

/** @internal Checks the arguments of a fault. Returns ACCESS_* flags. */
export function faultFlags(op: string, mm: Space, addr: number, options: FaultOptions): AccessFlags {
  mm.check(op);
  checkAddress(op, "addr", addr);
  const flags = accessFlags(op, options);
  return checkFlag(op, "options.write", options.write) ? flags | ACCESS_WRITE : flags;
}

/**
 * @internal Faults that one call takes before it gives up: a page of a driver may need a second fault for the
 * write.
 */
export const FAULTS_MAX = 8;

/** @internal Returns whether the entry of addr now allows the access of `flags`. */
export function settled(ctx: Context, mm: Space, addr: number, flags: number): boolean {
  if ((flags & ACCESS_FORCE) !== 0) return true;
  const needed = (flags & ACCESS_WRITE) !== 0 ? PTE_PRESENT + PTE_WRITE : PTE_PRESENT;
  const pte = ctx.core.lookupPte(mm.id, addr) >>> 0;
  return (pte & needed) >>> 0 === needed;
}

/** @internal Returns whether a fault's answer is a failure: an errno, or VM_FAULT_ERROR bits. */
export function failed(answer: number): boolean {
  return answer < 0 || (answer & VM_FAULT_ERROR) !== 0;
}

/** @internal Makes the error of a page that never becomes accessible. */
export function faultLoop(ctx: Context, op: string, addr: number): HmmError {
  return ctx.error(op, ELOOP, `the page at ${hex(addr)} never becomes accessible`, {
    faultCode: FAULT_LOOP,
    address: addr,
    done: 0,
  });
}

/** @internal Mm.fault. */
export function faultSync(mm: Space, addr: number, options: FaultOptions): FaultKind {
  const op = "mm.fault";
  const flags = faultFlags(op, mm, addr, options);
  const { ctx } = mm;
  let answer = 0;
  let good = false;
  let kind = 0;
  mm.mmapSem.enterRead(op);
  try {
    for (let i = 0; i < FAULTS_MAX && !good && !failed(answer); i++) {
      answer = run(ctx, ctx.core.fault(mm.id, addr, flags));
      kind = ctx.mem.header(HDR_FAULT_KIND);
      good = !failed(answer) && settled(ctx, mm, addr, flags);
    }
  } finally {
    mm.mmapSem.leaveRead(op);
  }
  if (failed(answer)) ctx.abort(accessError(mm, op, answer, 0));
  if (!good) ctx.abort(faultLoop(ctx, op, addr));
  ctx.settle();
  return kind as FaultKind;
}

/** @internal Checks the options of a pin. Returns ACCESS_* flags. */
export function pinFlags(
  op: string,
  options: { write?: boolean | undefined; force?: boolean | undefined; longTerm?: boolean | undefined },
): AccessFlags {
  checkOptions(op, "options", options);
  const kind = ACCESS_GUP | (checkFlag(op, "options.longTerm", options.longTerm) ? ACCESS_PIN : 0);
  const write = checkFlag(op, "options.write", options.write) ? ACCESS_WRITE : 0;
  return kind | write | (checkFlag(op, "options.force", options.force) ? ACCESS_FORCE : 0);
}
