/** Settings of a running engine, and counters: one word of the core's header each. */
import { PAGE_SIZE, PMD_SIZE } from "../../assembly/uapi/page.ts";
import {
  HDR_FAIL_ALLOC,
  HDR_FAULT_AROUND,
  HDR_FLAGS,
  HDR_FLAG_SWAP,
  HDR_HUGEPAGES,
  ORDER_MIN,
  PMD_ORDER,
} from "../../assembly/abi/header.ts";
import type { Context } from "./context.ts";
import { badRange, badType, checkInteger } from "./errors.ts";
import type { HugepageMode } from "./protocol.ts";

/** Hmm.failAllocation. */
export function failAllocation({ mem }: Context, n: number): void {
  mem.setHeader(HDR_FAIL_ALLOC, checkInteger("hmm.failAllocation", "n", n, 0, 0xffffffff));
}

/** Hmm.failingAllocation. */
export function failingAllocation({ mem }: Context): number {
  return mem.header(HDR_FAIL_ALLOC);
}

/** Hmm.faultAround. */
export function faultAround({ mem }: Context): number {
  return mem.header(HDR_FAULT_AROUND) * PAGE_SIZE;
}

/** Hmm.faultAround. */
export function setFaultAround({ mem }: Context, bytes: number): void {
  const op = "hmm.faultAround";
  checkInteger(op, "bytes", bytes, PAGE_SIZE, PMD_SIZE);
  if ((bytes & (bytes - 1)) !== 0) throw badRange(op, "bytes", "a power of two", bytes);
  mem.setHeader(HDR_FAULT_AROUND, bytes / PAGE_SIZE);
}

const HUGEPAGE_MODES: readonly HugepageMode[] = ["never", "madvise", "always"];

/** Returns the order of a folio of `bytes`, a power of two of pages from 16 KiB to 2 MiB. */
function orderOf(op: string, bytes: number): number {
  checkInteger(op, "bytes", bytes, PAGE_SIZE << ORDER_MIN, PMD_SIZE);
  if ((bytes & (bytes - 1)) !== 0) throw badRange(op, "bytes", "a power of two", bytes);
  return Math.log2(bytes / PAGE_SIZE);
}

/** Hmm.hugepages. */
export function hugepages({ mem }: Context, bytes: number): HugepageMode {
  const order = orderOf("hmm.hugepages", bytes);
  return HUGEPAGE_MODES[(mem.header(HDR_HUGEPAGES) >>> (2 * order)) & 3];
}

/** Hmm.setHugepages. */
export function setHugepages({ mem, settings }: Context, bytes: number, mode: HugepageMode): void {
  const op = "hmm.setHugepages";
  const order = orderOf(op, bytes);
  const number = HUGEPAGE_MODES.indexOf(mode);
  if (number < 0) throw badRange(op, "mode", '"never", "madvise" or "always"', mode);
  if (order < PMD_ORDER && settings.linux === "6.12")
    throw badRange(op, "bytes", `${PMD_SIZE}: the rules of smaller folios are those of linux: "7.3"`, bytes);
  const others = mem.header(HDR_HUGEPAGES) & ~(3 << (2 * order));
  mem.setHeader(HDR_HUGEPAGES, others | (number << (2 * order)));
}

/** Hmm.swapOn. */
export function swapOn({ mem }: Context): boolean {
  return (mem.header(HDR_FLAGS) & HDR_FLAG_SWAP) !== 0;
}

/** Hmm.swapOn. */
export function setSwapOn({ mem, settings }: Context, on: boolean): void {
  const op = "hmm.swapOn";
  if (typeof on !== "boolean") throw badType(op, "on", "a boolean", on);
  if (on && settings.swap === 0)
    throw badRange(op, "on", "false: the engine was made without swap space", on);
  const flags = mem.header(HDR_FLAGS);
  mem.setHeader(HDR_FLAGS, on ? flags | HDR_FLAG_SWAP : flags & ~HDR_FLAG_SWAP);
}
