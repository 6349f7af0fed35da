import { EAGAIN, EFAULT, ENOMEM } from "../../assembly/uapi/errno.ts";
import { PTE_PRESENT, PTE_WRITE } from "../../assembly/uapi/pte.ts";
import { HDR_FAULT_ADDR, HDR_FAULT_CODE, HDR_FAULT_KIND, XBUF_SIZE } from "../../assembly/abi/struct.ts";
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
import type { HmmError } from "../engine/errors.ts";
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
} from "../engine/errors.ts";
import type { Mm } from "./mm.ts";

/** How memory is accessed. */
export interface AccessOptions {
  /** Past the mapping's protection, as a debugger may (ptrace, FOLL_FORCE). */
  force?: boolean;
  /** By a system call on the process's behalf: the same rules and the same error. */
  kernel?: boolean;
}

/** One access in progress: what is asked for, and how far it came. */
export interface Access {
  op: string;
  ctx: Context;
  mm: Mm;
  addr: number;
  bytes: Uint8Array;
  /** ACCESS_*. */
  flags: number;
  done: number;
}

function accessFlags(op: string, options: AccessOptions): number {
  checkOptions(op, "options", options);
  checkFlag(op, "options.kernel", options.kernel);
  return checkFlag(op, "options.force", options.force) ? ACCESS_FORCE : 0;
}

/** Checks the arguments of a read or write. A number of bytes makes a new array. */
export function beginAccess(
  op: string,
  mm: Mm,
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

/** The error of the access that just failed, from what the core says about it. */
export function accessError(mm: Mm, op: string, answer: number, done: number): HmmError {
  const { ctx } = mm;
  const faultCode = ctx.mem.header(HDR_FAULT_CODE);
  const address = ctx.mem.headerF64(HDR_FAULT_ADDR);
  const fields = { faultCode, address, done };
  const at = `at ${hex(address)}`;
  switch (faultCode) {
    case FAULT_MAPERR:
      return ctx.error(op, EFAULT, `SEGV_MAPERR ${at}: no mapping`, fields);
    case FAULT_ACCERR:
      return ctx.error(op, EFAULT, `SEGV_ACCERR ${at}: no permission`, fields);
    case FAULT_SIGBUS:
      return ctx.error(op, EFAULT, `SIGBUS ${at}: the page cannot be brought`, fields);
    case FAULT_OOM:
      return ctx.error(op, ENOMEM, `${ctx.exhausted() || "out of memory"}, at ${hex(address)}`, fields);
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

/** Asks the core for the next piece of an access. */
export function issue({ ctx, mm, addr, bytes, flags, done }: Access, buffer: number): number {
  const n = Math.min(bytes.length - done, XBUF_SIZE);
  if ((flags & ACCESS_WRITE) !== 0) ctx.mem.bytes.set(bytes.subarray(done, done + n), buffer);
  return ctx.core.access(mm.id, addr + done, n, flags);
}

/** Takes over what a piece brought. */
export function take(access: Access, buffer: number, n: number): void {
  if ((access.flags & ACCESS_WRITE) === 0) {
    access.bytes.set(access.ctx.mem.bytes.subarray(buffer, buffer + n), access.done);
  }
  access.done += n;
}

/** Runs a read or write to its end. Throws HmmError with what was done. */
export function accessSync(access: Access): Uint8Array {
  const { op, ctx, mm, bytes } = access;
  let error: HmmError | null = null;
  mm.mmapSem.enterRead(op);
  try {
    const { address, restore } = ctx.exchange(Math.min(bytes.length, XBUF_SIZE));
    while (access.done < bytes.length && error === null) {
      const asked = Math.min(bytes.length - access.done, XBUF_SIZE);
      const answer = ctx.run(issue(access, address));
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

/** The slow way of load32 and store32: one aligned word, through the exchange buffer. Returns it. */
export function accessWord(mm: Mm, op: string, addr: number, value: number, write: boolean): number {
  const { ctx } = mm;
  let answer: number;
  let word: number;
  mm.mmapSem.enterRead(op);
  try {
    const { address, restore } = ctx.exchange(4);
    if (write) ctx.mem.setU32(address, value);
    answer = ctx.run(ctx.core.access(mm.id, addr, 4, write ? ACCESS_WRITE : 0));
    word = ctx.mem.u32(address);
    restore();
  } finally {
    mm.mmapSem.leaveRead(op);
  }
  if (answer !== 4) ctx.abort(accessError(mm, op, answer, 0));
  ctx.settle();
  return word;
}

/** Checks the arguments of a fault. Returns ACCESS_* flags. */
export function faultFlags(
  op: string,
  mm: Mm,
  addr: number,
  options: { write?: boolean } & AccessOptions,
): number {
  mm.check(op);
  checkAddress(op, "addr", addr);
  const flags = accessFlags(op, options);
  return checkFlag(op, "options.write", options.write) ? flags | ACCESS_WRITE : flags;
}

/** Faults that one call takes before it gives up: a driver's page may need a second one for the write. */
export const FAULTS_MAX = 8;

/** One step of a fault: its answer, and whether the entry now allows what was asked for. */
export function settled(ctx: Context, mm: Mm, addr: number, flags: number): boolean {
  if ((flags & ACCESS_FORCE) !== 0) return true;
  const needed = (flags & ACCESS_WRITE) !== 0 ? PTE_PRESENT + PTE_WRITE : PTE_PRESENT;
  const pte = ctx.core.lookupPte(mm.id, addr) >>> 0;
  return (pte & needed) >>> 0 === needed;
}

export function failed(answer: number): boolean {
  return answer < 0 || (answer & VM_FAULT_ERROR) !== 0;
}

export function faultLoop(ctx: Context, op: string, addr: number): HmmError {
  return ctx.error(op, ELOOP, `the page at ${hex(addr)} never becomes accessible`, {
    faultCode: FAULT_LOOP,
    address: addr,
    done: 0,
  });
}

/** Mm.fault: returns FAULT_KIND_*. */
export function faultSync(mm: Mm, addr: number, options: { write?: boolean } & AccessOptions): number {
  const op = "mm.fault";
  const flags = faultFlags(op, mm, addr, options);
  const { ctx } = mm;
  let answer = 0;
  let good = false;
  let kind = 0;
  mm.mmapSem.enterRead(op);
  try {
    for (let i = 0; i < FAULTS_MAX && !good && !failed(answer); i++) {
      answer = ctx.run(ctx.core.fault(mm.id, addr, flags));
      kind = ctx.mem.header(HDR_FAULT_KIND);
      good = !failed(answer) && settled(ctx, mm, addr, flags);
    }
  } finally {
    mm.mmapSem.leaveRead(op);
  }
  if (failed(answer)) ctx.abort(accessError(mm, op, answer, 0));
  if (!good) ctx.abort(faultLoop(ctx, op, addr));
  ctx.settle();
  return kind;
}

/** The flags of a pin. */
export function pinFlags(
  op: string,
  options: { write?: boolean; force?: boolean; longTerm?: boolean },
): number {
  checkOptions(op, "options", options);
  const kind = ACCESS_GUP | (checkFlag(op, "options.longTerm", options.longTerm) ? ACCESS_PIN : 0);
  const write = checkFlag(op, "options.write", options.write) ? ACCESS_WRITE : 0;
  return kind | write | (checkFlag(op, "options.force", options.force) ? ACCESS_FORCE : 0);
}
