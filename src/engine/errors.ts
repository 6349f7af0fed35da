import {
  EPERM,
  ENOENT,
  EINTR,
  EIO,
  EAGAIN,
  ENOMEM,
  EACCES,
  EFAULT,
  EBUSY,
  EEXIST,
  EINVAL,
  EOVERFLOW,
  EOPNOTSUPP,
} from "../../assembly/uapi/errno.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import type { FaultCode } from "./protocol.ts";

/** The errno of a wait that could never end. */
export const EDEADLK = 35;
/** The errno of a fault that never makes progress. */
export const ELOOP = 40;
/** The errno of a broken invariant of the engine (see `Hmm.verify`); Linux has no such number. */
export const EINVARIANT = 1000;

/** The names of the error numbers. */
const NAMES = new Map(
  Object.entries({
    EPERM,
    ENOENT,
    EINTR,
    EIO,
    EAGAIN,
    ENOMEM,
    EACCES,
    EFAULT,
    EBUSY,
    EEXIST,
    EINVAL,
    EOVERFLOW,
    EOPNOTSUPP,
    EDEADLK,
    ELOOP,
    EINVARIANT,
  }).map(([name, number]) => [number, name]),
);

/** What a {@link HmmError} may carry beside its code. */
export interface HmmErrorFields {
  cause?: unknown;
  /** FAULT_*: why an access failed. */
  faultCode?: FaultCode | undefined;
  /** The virtual address at which it failed. */
  address?: number | undefined;
  /** How many bytes (accesses) or pages (pins) were done before it failed. */
  done?: number | undefined;
  /** The id of the open migration that was in the way (EAGAIN). */
  migration?: number | undefined;
}

/**
 * The failure of an operation, as a system call or a kernel function would fail. Wrong arguments are reported
 * by RangeError or TypeError instead, before anything happens.
 */
export class HmmError extends Error {
  override readonly name: string = "HmmError";
  /** The name of the errno, as in "ENOMEM". */
  readonly code: string;
  /** FAULT_*: why an access failed. */
  declare readonly faultCode: FaultCode | undefined;
  /** The virtual address at which it failed. */
  declare readonly address: number | undefined;
  /** How many bytes (accesses) or pages (pins) were done before it failed. */
  declare readonly done: number | undefined;
  /** The id of the open migration that was in the way (EAGAIN). */
  declare readonly migration: number | undefined;
  // What the message says need not be printed again beside it.
  readonly #errno: number;
  readonly #op: string;
  readonly #detail: string;

  constructor(errno: number, op: string, detail: string, fields: HmmErrorFields = {}) {
    const code = errnoName(errno);
    const cause = fields.cause === undefined ? undefined : { cause: fields.cause };
    super(`${op}: ${code}${detail === "" ? "" : `: ${detail}`}`, cause);
    this.code = code;
    this.#errno = errno;
    this.#op = op;
    this.#detail = detail;
    const { faultCode, address, done, migration } = fields;
    if (faultCode !== undefined) this.faultCode = faultCode;
    if (address !== undefined) this.address = address;
    if (done !== undefined) this.done = done;
    if (migration !== undefined) this.migration = migration;
  }

  /** The errno, a positive number. */
  get errno(): number {
    return this.#errno;
  }

  /** The operation that failed, as in "mm.mmap". */
  get op(): string {
    return this.#op;
  }

  /** A phrase about the cause; empty if there is nothing to add. */
  get detail(): string {
    return this.#detail;
  }
}

/** Returns the name of a positive errno: "ENOMEM" for 12, "E999" for one without a name. */
export function errnoName(number: number): string {
  return NAMES.get(number) ?? `E${number}`;
}

/** @internal Writes an address for a message: 0x7f0000000000. */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** @internal Writes a value for a message. */
export function show(value: unknown): string {
  if (typeof value === "number")
    return Number.isInteger(value) && value > 0xffff ? hex(value) : String(value);
  if (typeof value === "string") return JSON.stringify(value);
  if (value === null || value === undefined || typeof value === "boolean") return String(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value === "symbol") return value.toString();
  const name = (value.constructor as { name?: string } | undefined)?.name;
  return name === undefined || name === "Object" ? "an object" : `a ${name}`;
}

/** @internal Makes a RangeError that names operation, argument, expectation and value. */
export function badRange(op: string, argument: string, expected: string, value: unknown): RangeError {
  return new RangeError(`${op}: ${argument} must be ${expected}, got ${show(value)}`);
}

/** @internal Makes a TypeError that names operation, argument, expectation and value. */
export function badType(op: string, argument: string, expected: string, value: unknown): TypeError {
  return new TypeError(`${op}: ${argument} must be ${expected}, got ${show(value)}`);
}

/**
 * @internal Returns `value`. Throws TypeError or RangeError unless it is an integer from min to max, both
 * inclusive.
 */
export function checkInteger(op: string, argument: string, value: unknown, min: number, max: number): number {
  if (typeof value !== "number") throw badType(op, argument, "a number", value);
  if (value >= min && value <= max && Math.floor(value) === value) return value;
  throw badRange(op, argument, `an integer from ${show(min)} to ${show(max)}`, value);
}

/** @internal Refuses anything but an object. */
export function checkOptions(op: string, argument: string, value: unknown): void {
  if (typeof value !== "object" || value === null) throw badType(op, argument, "an object", value);
}

/** @internal Returns an optional flag, by default false. Throws TypeError unless it is a boolean. */
export function checkFlag(op: string, argument: string, value: unknown): boolean {
  if (value !== undefined && typeof value !== "boolean") throw badType(op, argument, "a boolean", value);
  return value === true;
}

/** @internal Refuses anything but a string or undefined. */
export function checkText(op: string, argument: string, value: unknown): void {
  if (value !== undefined && typeof value !== "string") throw badType(op, argument, "a string", value);
}

/** @internal Refuses an object whose member `name` is no function; an `optional` member may be undefined. */
export function checkMethod(
  op: string,
  argument: string,
  object: unknown,
  name: string,
  optional = false,
): void {
  const member = (object as Record<string, unknown> | null | undefined)?.[name];
  if (typeof member === "function" || (optional && member === undefined && object != null)) return;
  throw badType(op, `${argument}.${name}`, "a function", member);
}

/** @internal One past the highest address: the engine computes with 48 bits. */
export const ADDRESS_LIMIT = 2 ** 48;
const PAGES_LIMIT = ADDRESS_LIMIT / PAGE_SIZE;

/** @internal Returns `value`. Throws TypeError or RangeError unless it is an address below 2^48. */
export function checkAddress(op: string, argument: string, value: unknown): number {
  if (typeof value !== "number") throw badType(op, argument, "an address (a number)", value);
  if (value >= 0 && value < ADDRESS_LIMIT && Math.floor(value) === value) return value;
  throw badRange(op, argument, "an address below 2^48", value);
}

/**
 * @internal Rounds `value` down to a multiple of `size`, a power of two: with addresses ten times as fast as
 * `%`.
 */
export function roundDown(value: number, size: number): number {
  return Math.floor(value / size) * size;
}

/** @internal Returns `value`. Throws TypeError or RangeError unless it is a page address below 2^48. */
export function checkPageAddress(op: string, argument: string, value: unknown): number {
  if (isPageAddress(value)) return value;
  const address = checkAddress(op, argument, value);
  throw badRange(op, argument, "a multiple of the page size (4096)", address);
}

/** Whether `value` is a page address below 2^48: dividing by the page size is exact, and gives an integer. */
function isPageAddress(value: unknown): value is number {
  if (typeof value !== "number") return false;
  const page = value / PAGE_SIZE;
  return page >= 0 && page < PAGES_LIMIT && Math.floor(page) === page;
}

/**
 * @internal Returns a number of bytes, rounded up to whole pages as the system calls do. Throws TypeError or
 * RangeError unless it is an integer from min to 2^48.
 */
export function checkLength(op: string, argument: string, value: unknown, min: number): number {
  const length = checkInteger(op, argument, value, min, ADDRESS_LIMIT);
  return Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;
}

/** @internal Returns `value`. Throws TypeError or RangeError unless it is an unsigned 32-bit integer. */
export function checkU32(op: string, argument: string, value: unknown): number {
  return checkInteger(op, argument, value, 0, 0xffffffff);
}

/**
 * @internal Returns `value`. Throws TypeError or RangeError unless it is a word of 32 bits, signed or
 * unsigned: JavaScript's bit operations make both.
 */
export function checkWord(op: string, argument: string, value: unknown): number {
  if (typeof value !== "number") throw badType(op, argument, "a number", value);
  if (value >>> 0 === value || (value | 0) === value) return value;
  throw badRange(op, argument, "a word of 32 bits", value);
}

/**
 * @internal Returns the number of pages of [start, end). Throws TypeError or RangeError unless both are page
 * addresses, end above start.
 */
export function checkPageRange(op: string, start: unknown, end: unknown): number {
  const from = checkPageAddress(op, "start", start);
  if (end !== ADDRESS_LIMIT) checkPageAddress(op, "end", end);
  const to = end as number;
  if (to <= from) throw badRange(op, "end", `above start (${hex(from)})`, to);
  return (to - from) / PAGE_SIZE;
}
