import { EINVAL, EOPNOTSUPP } from "../../assembly/uapi/errno.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import {
  HMM_PFN_ERROR,
  HMM_PFN_ORDER_MASK,
  HMM_PFN_ORDER_SHIFT,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  MIGRATE_PFN_VALID,
  PFN_MASK,
} from "../../assembly/uapi/pfn.ts";
import {
  FOLIO_FREE,
  FOLIO_MAPPING,
  FOLIO_SIZE,
  HDR_DEVICE_BASE,
  HDR_DEVICE_FRAMES,
  HDR_FOLIOS,
  HDR_FRAMES,
  HDR_ZERO_PFN,
} from "../../assembly/abi/struct.ts";
import type { Context } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import { badRange, badType, checkInteger, checkU32, HmmError, show } from "../engine/errors.ts";
import { isEngineMemory } from "../engine/memory.ts";

/** A page is its page frame number; 0 is none. */
export type Page = number;

/**
 * A Uint32Array in the engine's linear memory: what the protocol's calls read and write without a copy. `close()` (or
 * `using`) gives the memory back; it must not be used afterwards. Made by `hmm.pfnArray(n)`, zeroed. What its array
 * methods make (slice, map) are plain Uint32Arrays.
 */
export class PfnArray extends Uint32Array<ArrayBuffer> {
  #ctx: Context | null;
  readonly #address: number;

  /** @internal */
  constructor(ctx: Context, address: number, n: number) {
    super(ctx.mem.buffer, address, n);
    this.#ctx = ctx;
    this.#address = address;
    ctx.arrays.add(this);
  }

  static get [Symbol.species](): Uint32ArrayConstructor {
    return Uint32Array;
  }

  /** @internal Its address, if it is open and this engine's, else 0. Quicker than its buffer and byteOffset. */
  addressIn(ctx: Context): number {
    return this.#ctx === ctx ? this.#address : 0;
  }

  get closed(): boolean {
    return this.#ctx === null;
  }

  /** Gives the memory back. Twice: nothing. */
  close(): void {
    const ctx = this.#ctx;
    if (ctx === null) return;
    this.#ctx = null;
    ctx.arrays.delete(this);
    ctx.core.arenaFree(this.byteOffset);
  }

  [dispose](): void {
    this.close();
  }
}

/**
 * A Float64Array in the engine's linear memory, for the addresses of `mm.translate`. As {@link PfnArray} otherwise.
 * Made by `hmm.addressArray(n)`.
 */
export class AddressArray extends Float64Array<ArrayBuffer> {
  #ctx: Context | null;

  /** @internal */
  constructor(ctx: Context, address: number, n: number) {
    super(ctx.mem.buffer, address, n);
    this.#ctx = ctx;
    ctx.arrays.add(this);
  }

  static get [Symbol.species](): Float64ArrayConstructor {
    return Float64Array;
  }

  get closed(): boolean {
    return this.#ctx === null;
  }

  /** Gives the memory back. Twice: nothing. */
  close(): void {
    const ctx = this.#ctx;
    if (ctx === null) return;
    this.#ctx = null;
    ctx.arrays.delete(this);
    ctx.core.arenaFree(this.byteOffset);
  }

  [dispose](): void {
    this.close();
  }
}

/** How a call uses an array of words. */
export type PfnUse = "in" | "out" | "inout";

/** Refuses what is no array of at least n words, or one that is closed. */
export function checkPfns(op: string, argument: string, array: unknown, n: number): Uint32Array {
  if (!(array instanceof Uint32Array)) throw badType(op, argument, "a PfnArray or a Uint32Array", array);
  // Cheaper than asking for the class: plain arrays have no such property.
  if ((array as { closed?: boolean }).closed === true) throw new TypeError(`${op}: ${argument} is closed`);
  if (array.length < n) throw badRange(op, argument, `at least ${n} words long`, array.length);
  return array;
}

/**
 * Runs `body` with the address of n words in linear memory: those of `array` itself if it lives there, else of a copy
 * that is copied in and out as `use` says. What `body` works on may be passed as `of`: a function that needs no
 * closure is called quicker.
 */
export function withPfns<T, Of = undefined>(
  ctx: Context,
  op: string,
  array: Uint32Array,
  n: number,
  use: PfnUse,
  body: (address: number, of: Of) => T,
  of?: Of,
): T {
  // As in checkPfns(): cheaper than asking for the class.
  const known = (array as Partial<PfnArray>).addressIn?.(ctx) ?? 0;
  if (known !== 0) return body(known, of as Of);
  if (array.buffer === ctx.mem.buffer) return body(array.byteOffset, of as Of);
  return withCopy(ctx, op, array, n, use, body, of as Of);
}

function withCopy<T, Of>(
  ctx: Context,
  op: string,
  array: Uint32Array,
  n: number,
  use: PfnUse,
  body: (address: number, of: Of) => T,
  of: Of,
): T {
  if (isEngineMemory(array))
    throw new TypeError(
      `${op}: the array must be of this Hmm or a plain Uint32Array, got one of another Hmm`,
    );
  return ctx.withScratch(op, Math.max(4 * n, 8), (address) => {
    const words = ctx.mem.wordsAt(address, n);
    if (use !== "out") words.set(n === array.length ? array : array.subarray(0, n));
    const result = body(address, of);
    if (use !== "in") array.set(words);
    return result;
  });
}

/** Refuses what is no word of 32 bits, signed or not: bit operations make both. */
function checkWord(op: string, word: number): void {
  if (typeof word !== "number") throw badType(op, "word", "a number", word);
  if (word >>> 0 === word || (word | 0) === word) return;
  throw badRange(op, "word", "a word of 32 bits", word);
}

/** A pfn that fits a word. */
function checkPfn(op: string, page: Page): Page {
  return typeof page === "number" && (page & PFN_MASK) === page
    ? page
    : checkInteger(op, "page", page, 0, PFN_MASK);
}

/** hmm_pfn_to_page: the page of a slot, 0 unless it is VALID. */
export function hmmPfnToPage(word: number): Page {
  checkWord("hmmPfnToPage", word);
  return (word & HMM_PFN_VALID) !== 0 && (word & HMM_PFN_ERROR) === 0 ? word & PFN_MASK : 0;
}

/** Whether the slot names a page. */
export function hmmPfnValid(word: number): boolean {
  checkWord("hmmPfnValid", word);
  return (word & HMM_PFN_VALID) !== 0;
}

/** Whether the slot's page may be written. */
export function hmmPfnWritable(word: number): boolean {
  checkWord("hmmPfnWritable", word);
  return (word & HMM_PFN_WRITE) !== 0;
}

/** A slot that names page, VALID and with the given HMM_PFN_* flags. */
export function hmmPfn(page: Page, flags = 0): number {
  checkU32("hmmPfn", "flags", flags);
  return (checkPfn("hmmPfn", page) | HMM_PFN_VALID | flags) >>> 0;
}

/** hmm_pfn_to_map_order: how far the CPU's mapping goes: 0 (one page), 4 (64 KiB), 9 (2 MiB) or 18 (1 GiB). */
export function hmmPfnToMapOrder(word: number): number {
  checkWord("hmmPfnToMapOrder", word);
  return [0, 4, 9, 18][(word & HMM_PFN_ORDER_MASK) >>> HMM_PFN_ORDER_SHIFT];
}

/** migrate_pfn: the word that a driver puts in dst for its page. */
export function migratePfn(page: Page): number {
  return (checkPfn("migratePfn", page) | MIGRATE_PFN_VALID) >>> 0;
}

/** migrate_pfn_to_page: the page of a slot of src or dst, 0 unless it is VALID. */
export function migratePfnToPage(word: number): Page {
  checkWord("migratePfnToPage", word);
  return (word & MIGRATE_PFN_VALID) !== 0 ? word & PFN_MASK : 0;
}

/** @internal Refuses what is not the number of a frame. */
export function checkPage(ctx: Context, op: string, page: unknown): Page {
  const end = ctx.mem.header(HDR_DEVICE_BASE) + ctx.mem.header(HDR_DEVICE_FRAMES);
  return checkInteger(op, "page", page, 1, end - 1);
}

/** @internal Runs a call of the core on one page, which refuses (-EINVAL) what is not a page of this `kind`. */
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

/** @internal Scoped access to a page's bytes: the view must not be kept. */
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

/** The first slot that is VALID and does not name a page in use, as a sentence; undefined if there is none. */
function strangeSlot(ctx: Context, name: string, array: Uint32Array): string | undefined {
  const { mem, core } = ctx;
  const inUse = (page: Page): boolean => {
    const flags = mem.u32(mem.header(HDR_FOLIOS) + page * FOLIO_SIZE + FOLIO_MAPPING) >>> 16;
    return page !== mem.header(HDR_ZERO_PFN) && core.pageZone(page) >= 0 && (flags & FOLIO_FREE) === 0;
  };
  const at = array.findIndex((word) => (word & MIGRATE_PFN_VALID) !== 0 && !inUse(word & PFN_MASK));
  return at < 0 ? undefined : `${name}[${at}] must name a page in use, got ${show(array[at])}`;
}

/**
 * Runs `body` with the addresses of src and dst. Mostly they are those of the migration that was begun last, which need no
 * check.
 */
function withArrays(
  ctx: Context,
  op: string,
  src: Uint32Array,
  dst: Uint32Array,
  use: PfnUse,
  body: (src: number, dst: number, n: number) => number,
): number {
  const { migrations } = ctx;
  const latest = migrations.length > 0 ? migrations[migrations.length - 1] : null;
  const address = latest === null ? 0 : latest.addressOf(src, dst);
  if (address !== 0) return body(address, address + 4 * latest!.npages, latest!.npages);
  const n = checkPfns(op, "src", src, 0).length;
  checkPfns(op, "dst", dst, n);
  if (n === 0) return 0;
  return withPfns(ctx, op, src, n, "in", (from) => withPfns(ctx, op, dst, n, use, (to) => body(from, to, n)));
}

/** @internal hmm.copyPages: as many slots as src has. */
export function copyPages(ctx: Context, src: Uint32Array, dst: Uint32Array): number {
  const op = "hmm.copyPages";
  const copied = withArrays(ctx, op, src, dst, "in", (from, to, n) => ctx.core.copyPages(from, to, n));
  if (copied !== -EINVAL) return ctx.finish(op, copied);
  const detail = strangeSlot(ctx, "src", src) ?? strangeSlot(ctx, "dst", dst.subarray(0, src.length));
  return ctx.abort(ctx.error(op, EINVAL, detail));
}

/** @internal Fills dst for the candidates of src with pages of a zone; 0: system memory. */
export function allocPagesInto(
  ctx: Context,
  op: string,
  src: Uint32Array,
  dst: Uint32Array,
  zone: number,
): number {
  const answer = withArrays(ctx, op, src, dst, "inout", (from, to, n) =>
    zone === 0 ? ctx.core.systemAllocPages(from, to, n) : ctx.core.devmemAllocPages(zone, from, to, n),
  );
  return ctx.finish(op, answer);
}
