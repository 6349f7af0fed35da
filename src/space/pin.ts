import { EBUSY, EFAULT, EINVAL } from "../../assembly/uapi/errno.ts";
import { ACCESS_PIN } from "../../assembly/uapi/vm.ts";
import { XBUF_SIZE } from "../../assembly/abi/argument.ts";
import { HDR_FAULT_ADDR } from "../../assembly/abi/header.ts";
import type { Context } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import { checkInteger, checkPageAddress, HmmError } from "../engine/errors.ts";
import { count, inspect, line } from "../engine/inspect.ts";
import type { Words } from "../engine/host.ts";
import type { DeviceMemory } from "../engine/registry.ts";
import { run } from "../engine/request.ts";
import { accessError, pinFlags } from "./access.ts";
import type { Space } from "./space.ts";

/** Pages that are unpinned at a time. */
const PIECE = XBUF_SIZE / 4;

/** How pages are pinned. */
export interface PinOptions {
  /** The pages will be written: copy-on-write pages are copied first (FOLL_WRITE). Default false. */
  write?: boolean | undefined;
  /** The pin ignores the mapping's protection (FOLL_FORCE). Default false. */
  force?: boolean | undefined;
  /**
   * The pin will last, as for a device that does DMA (FOLL_PIN | FOLL_LONGTERM): the pages stay their
   * mapping's own. fork copies them for the child, and MADV_PAGEOUT leaves them. A pin to read first unshares
   * a page that is shared copy-on-write, the zero page, and a private mapping's page of a file. Pages in
   * coherent device memory move to system memory first. EFAULT for a write pin of a shared mapping of a disk
   * file, which would not hear of the writes. Default false.
   */
  longTerm?: boolean | undefined;
}

/**
 * References on pages of an address space, made by `mm.pin` (get_user_pages). A pinned page stays where it
 * is. The caller drops the references with `close()` or `using`.
 */
export class Pin {
  /** The page frame numbers, in address order: fewer than requested if a later page failed. */
  readonly pages: Words;
  readonly #ctx: Context;
  /** ACCESS_*. */
  readonly #flags: number;
  #closed = false;

  private constructor(ctx: Context, pages: Words, flags: number) {
    this.#ctx = ctx;
    this.pages = pages;
    this.#flags = flags;
  }

  /** @internal A pin of pages that the core has just pinned. */
  static of(ctx: Context, pages: Words, flags: number): Pin {
    return new Pin(ctx, pages, flags);
  }

  /** How many pages are pinned. */
  get npages(): number {
    return this.pages.length;
  }

  /**
   * Drops the references (unpin_user_pages). Idempotent. Throws HmmError EINVAL if somebody else has dropped
   * one of them (`hmm.pagePut` of a page that it did not get); the others are dropped all the same.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const ctx = this.#ctx;
    const op = "pin.close";
    // Through the exchange buffer: unpinning must not fail for lack of memory.
    const { address, restore } = ctx.exchange(4 * Math.min(this.pages.length, PIECE));
    let answer = 0;
    for (let at = 0; at < this.pages.length; at += PIECE) {
      const n = Math.min(this.pages.length - at, PIECE);
      ctx.mem.writeWords(address, this.pages, at, n);
      answer = Math.min(answer, ctx.core.unpin(address, n, this.#flags));
    }
    restore();
    if (answer >= 0) return void ctx.finish(op, answer);
    const page = ctx.mem.headerF64(HDR_FAULT_ADDR);
    ctx.abort(
      new HmmError(
        EINVAL,
        op,
        `page ${page} must have the pin's reference, but somebody else has dropped it`,
      ),
    );
  }

  /** @internal */
  [inspect](): string {
    return line("Pin", this.#closed && "closed", () => [count(this.npages, "page")]);
  }

  [dispose](): void {
    this.close();
  }
}

/** @internal Mm.pin. */
export function pinPages(mm: Space, addr: number, npages: number, options: PinOptions): Pin {
  const op = "mm.pin";
  const ctx = mm.check(op);
  checkPageAddress(op, "addr", addr);
  checkInteger(op, "npages", npages, 1, 2 ** 27);
  const flags = pinFlags(op, options);
  for (;;) {
    const pin = pinOnce(op, ctx, mm, addr, npages, flags);
    if ((flags & ACCESS_PIN) === 0) return pin;
    const coherent = [...pin.pages].filter((page) => coherentHome(ctx, page) !== null);
    if (coherent.length === 0) return pin;
    pin.close();
    for (const page of new Set(coherent)) {
      if (coherentHome(ctx, page)!.evict(page, 1) === 0)
        throw new HmmError(EBUSY, op, `device page ${page} cannot be moved to system memory`);
    }
  }
}

/** Returns the device memory that a page lies in if that is coherent, else null. */
function coherentHome(ctx: Context, page: number): DeviceMemory | null {
  const home = ctx.devmems.get(ctx.core.pageZone(page));
  return home?.coherent === true ? home : null;
}

function pinOnce(op: string, ctx: Context, mm: Space, addr: number, npages: number, flags: number): Pin {
  mm.mmapSem.enterRead(op);
  let answer: number;
  let pages: Words | null = null;
  let out = 0;
  try {
    out = ctx.allocOwn(op, 4 * npages);
    answer = run(ctx, ctx.core.pin(mm.id, addr, npages, out, flags));
    if (answer > 0) pages = ctx.mem.copyWords(out, answer);
  } finally {
    if (out !== 0) ctx.core.arenaFree(out);
    mm.mmapSem.leaveRead(op);
  }
  if (pages === null) ctx.abort(accessError(mm, op, answer === 0 ? -EFAULT : answer, 0));
  const pin = Pin.of(ctx, pages, flags);
  try {
    ctx.settle();
  } catch (error) {
    // A callback has thrown, so the caller gets no pin to close.
    pin.close();
    throw error;
  }
  return pin;
}
