import * as errno from "../../assembly/uapi/errno.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";

/** Error numbers by name, for those that only the API's own locks and checks use. */
export const EDEADLK = 35;
export const ELOOP = 40;
/** No Linux number: a broken invariant of the engine's own (see `Hmm.verify`). */
export const EINVARIANT = 1000;

const NAMES = new Map<number, string>(
  [...Object.entries(errno), ["EDEADLK", EDEADLK], ["ELOOP", ELOOP], ["EINVARIANT", EINVARIANT]].map(
    ([name, number]) => [number as number, name as string],
  ),
);

/** What an {@link HmmError} may carry beside its code. */
export interface HmmErrorFields {
  cause?: unknown;
  /** FAULT_*: why an access failed. */
  faultCode?: number;
  /** Virtual address at which it failed. */
  address?: number;
  /** Bytes (accesses) or pages (pins) that were done before it failed. */
  done?: number;
  /** The id of the open migration that was in the way (EAGAIN). */
  migration?: number;
}

/**
 * An operation failed as a system call or a kernel function would fail: `code` is the errno's name ("ENOMEM"), `errno`
 * its positive number, `op` the operation, `detail` a sentence about what was in the way. Wrong arguments are not
 * this: they are RangeError or TypeError, thrown before anything happened.
 */
export class HmmError extends Error {
  override readonly name: string = "HmmError";
  readonly code: string;
  readonly errno: number;
  readonly op: string;
  readonly detail: string;
  readonly faultCode: number | undefined;
  readonly address: number | undefined;
  readonly done: number | undefined;
  readonly migration: number | undefined;

  constructor(errno: number, op: string, detail: string, fields: HmmErrorFields = {}) {
    const code = errnoName(errno);
    const cause = fields.cause === undefined ? undefined : { cause: fields.cause };
    super(`${op}: ${code}${detail === "" ? "" : `: ${detail}`}`, cause);
    this.code = code;
    this.errno = errno;
    this.op = op;
    this.detail = detail;
    this.faultCode = fields.faultCode;
    this.address = fields.address;
    this.done = fields.done;
    this.migration = fields.migration;
  }
}

/** The name of a positive errno: 12 → "ENOMEM". */
export function errnoName(number: number): string {
  return NAMES.get(number) ?? `E${number}`;
}

/** An address as it is written in messages: 0x7f0000000000. */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** A value as it is written in messages. */
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

/** A RangeError that names operation, argument, expectation and value. */
export function badRange(op: string, argument: string, expected: string, value: unknown): RangeError {
  return new RangeError(`${op}: ${argument} must be ${expected}, got ${show(value)}`);
}

/** A TypeError that names operation, argument, expectation and value. */
export function badType(op: string, argument: string, expected: string, value: unknown): TypeError {
  return new TypeError(`${op}: ${argument} must be ${expected}, got ${show(value)}`);
}

/** Refuses anything but an integer in [min, max]. */
export function checkInteger(op: string, argument: string, value: unknown, min: number, max: number): number {
  if (typeof value !== "number") throw badType(op, argument, "a number", value);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw badRange(op, argument, `an integer from ${show(min)} to ${show(max)}`, value);
  }
  return value;
}

/** Refuses what has no members to look at. */
export function checkOptions(op: string, argument: string, value: unknown): void {
  if (typeof value !== "object" || value === null) throw badType(op, argument, "an object", value);
}

/** Refuses anything but a boolean, or nothing: false. */
export function checkFlag(op: string, argument: string, value: unknown): boolean {
  if (value !== undefined && typeof value !== "boolean") throw badType(op, argument, "a boolean", value);
  return value === true;
}

/** Refuses anything but a string, or nothing. */
export function checkText(op: string, argument: string, value: unknown): void {
  if (value !== undefined && typeof value !== "string") throw badType(op, argument, "a string", value);
}

/** Refuses an object whose member `name` is no function (or, if `optional`, something else than left out). */
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

/** One past the highest address that fits the 48 bits that the engine computes with. */
export const ADDRESS_LIMIT = 2 ** 48;

/** Refuses anything but a 48-bit address. */
export function checkAddress(op: string, argument: string, value: unknown): number {
  if (typeof value !== "number") throw badType(op, argument, "an address (a number)", value);
  if (!Number.isInteger(value) || value < 0 || value >= ADDRESS_LIMIT) {
    throw badRange(op, argument, "an address below 2^48", value);
  }
  return value;
}

/** `value` rounded down to a multiple of `size`, a power of two. What `%` does with addresses takes ten times as long. */
export function roundDown(value: number, size: number): number {
  return Math.floor(value / size) * size;
}

/** Refuses anything but a 48-bit address that is a multiple of PAGE_SIZE. */
export function checkPageAddress(op: string, argument: string, value: unknown): number {
  const address = checkAddress(op, argument, value);
  if (roundDown(address, PAGE_SIZE) !== address)
    throw badRange(op, argument, "a multiple of the page size (4096)", address);
  return address;
}

/** Refuses anything but a byte count in [min, 2^48], and rounds it up to whole pages, as the system calls do. */
export function checkLength(op: string, argument: string, value: unknown, min: number): number {
  const length = checkInteger(op, argument, value, min, ADDRESS_LIMIT);
  return Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;
}

/** Refuses anything but an unsigned 32-bit integer (flags, words, page frame numbers). */
export function checkU32(op: string, argument: string, value: unknown): number {
  return checkInteger(op, argument, value, 0, 0xffffffff);
}

/** Refuses ranges that are not page aligned or of which end is not above start. Returns the number of pages. */
export function checkPageRange(op: string, start: unknown, end: unknown): number {
  const from = checkPageAddress(op, "start", start);
  if (end !== ADDRESS_LIMIT) checkPageAddress(op, "end", end);
  const to = end as number;
  if (to <= from) throw badRange(op, "end", `above start (${hex(from)})`, to);
  return (to - from) / PAGE_SIZE;
}
