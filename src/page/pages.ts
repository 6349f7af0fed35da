/** Operations on pages: allocation and copies for migrations, references and locks, bytes. */
import { EINVAL, EOPNOTSUPP } from "../../assembly/uapi/errno.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { MIGRATE_PFN_VALID, PFN_MASK } from "../../assembly/uapi/pfn.ts";
import { FOLIO_FREE, FOLIO_MAPPING, FOLIO_SIZE } from "../../assembly/abi/frame.ts";
import {
  HDR_DEVICE_BASE,
  HDR_DEVICE_FRAMES,
  HDR_FOLIOS,
  HDR_FRAMES,
  HDR_ZERO_PFN,
} from "../../assembly/abi/header.ts";
import type { Context } from "../engine/context.ts";
import { badType, checkInteger, HmmError, show } from "../engine/errors.ts";
import { checkPfns, withPfns, type PfnUse } from "./arrays.ts";
import type { Page } from "./words.ts";

/** Returns `page`. Throws TypeError or RangeError unless it is the number of a frame. */
export function checkPage(ctx: Context, op: string, page: unknown): Page {
  const end = ctx.mem.header(HDR_DEVICE_BASE) + ctx.mem.header(HDR_DEVICE_FRAMES);
  return checkInteger(op, "page", page, 1, end - 1);
}

/**
 * Runs a call of the core on one page. Throws HmmError EINVAL if the core refuses a page that is not of this
 * `kind`.
 */
export function pageCall(
  ctx: Context,
  op: string,
  page: Page,
  kind: string,
  call: (ctx: Context) => number,
): number {
  checkPage(ctx, op, page);
  const answer = call(ctx);
  if (answer === -EINVAL) throw new HmmError(EINVAL, op, `page must be a page ${kind}, got ${show(page)}`);
  return ctx.finish(op, answer);
}

/** hmm.pageBytes: runs `body` with a live view of the page's bytes. */
export function pageBytes<T>(ctx: Context, page: Page, body: (bytes: Uint8Array) => T): T {
  const op = "hmm.pageBytes";
  checkPage(ctx, op, page);
  if (typeof body !== "function") throw badType(op, "body", "a function", body);
  const address = ctx.core.pageData(page) >>> 0;
  if (address === 0) {
    if (ctx.mem.header(HDR_FRAMES) === 0)
      throw new HmmError(EOPNOTSUPP, op, 'frames have no bytes with backing "metadata"');
    throw new HmmError(EINVAL, op, `page must be a page in use, got ${show(page)}`);
  }
  return body(new Uint8Array(ctx.mem.buffer, address, PAGE_SIZE));
}

/** Describes the first slot that is VALID and does not name a page in use; undefined if there is none. */
function strangeSlot(ctx: Context, name: string, array: Uint32Array): string | undefined {
  const { mem, core } = ctx;
  const inUse = (page: Page): boolean => {
    const flags = mem.u32(mem.header(HDR_FOLIOS) + page * FOLIO_SIZE + FOLIO_MAPPING) >>> 16;
    return page !== mem.header(HDR_ZERO_PFN) && core.pageZone(page) >= 0 && (flags & FOLIO_FREE) === 0;
  };
  const at = array.findIndex((word) => (word & MIGRATE_PFN_VALID) !== 0 && !inUse(word & PFN_MASK));
  return at < 0 ? undefined : `${name}[${at}] must name a page in use, got ${show(array[at])}`;
}

/** A call of the core on the slots of two arrays, each n words long. */
type SlotCall = (ctx: Context, src: number, dst: number, n: number, zone: number) => number;

/**
 * Makes a call with the addresses of src and dst. Mostly they are the arrays of the migration that was begun
 * last, which need no check.
 */
function onSlots(
  ctx: Context,
  op: string,
  src: Uint32Array,
  dst: Uint32Array,
  use: PfnUse,
  call: SlotCall,
  zone: number,
): number {
  const latest = ctx.migrations.at(-1);
  const address = latest?.addressOf(src, dst) ?? 0;
  if (address === 0) return onOtherSlots(ctx, op, src, dst, use, call, zone);
  const n = latest!.npages;
  return call(ctx, address, address + 4 * n, n, zone);
}

/** As {@link onSlots}, for arrays of any kind. */
function onOtherSlots(
  ctx: Context,
  op: string,
  src: Uint32Array,
  dst: Uint32Array,
  use: PfnUse,
  call: SlotCall,
  zone: number,
): number {
  const n = checkPfns(op, "src", src, 0).length;
  checkPfns(op, "dst", dst, n);
  if (n === 0) return 0;
  return withPfns(ctx, op, src, n, "in", (from) =>
    withPfns(ctx, op, dst, n, use, (to) => call(ctx, from, to, n, zone)),
  );
}

const copySlots: SlotCall = ({ core }, src, dst, n) => core.copyPages(src, dst, n);
const allocSlots: SlotCall = ({ core }, src, dst, n, zone) =>
  zone === 0 ? core.systemAllocPages(src, dst, n) : core.devmemAllocPages(zone, src, dst, n);

/** hmm.copyPages: copies as many slots as src has. */
export function copyPages(ctx: Context, src: Uint32Array, dst: Uint32Array): number {
  const op = "hmm.copyPages";
  const copied = onSlots(ctx, op, src, dst, "in", copySlots, 0);
  if (copied !== -EINVAL) return ctx.finish(op, copied);
  const detail = strangeSlot(ctx, "src", src) ?? strangeSlot(ctx, "dst", dst.subarray(0, src.length));
  return ctx.abort(ctx.error(op, EINVAL, detail));
}

/** Fills dst for the candidates of src with pages of a zone (0: system memory). Returns how many pages. */
export function allocPagesInto(
  ctx: Context,
  op: string,
  src: Uint32Array,
  dst: Uint32Array,
  zone: number,
): number {
  return ctx.finish(op, onSlots(ctx, op, src, dst, "inout", allocSlots, zone));
}
