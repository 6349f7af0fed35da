import { EBUSY, EFAULT, EINVAL } from "../../assembly/uapi/errno.ts";
import { HDR_FAULT_ADDR, XBUF_SIZE } from "../../assembly/abi/struct.ts";
import { ACCESS_PIN } from "../../assembly/uapi/vm.ts";
import { evictPages, type HmmDevmem } from "../device/devmem.ts";
import type { Context } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import { checkInteger, checkPageAddress, HmmError } from "../engine/errors.ts";
import { accessError, pinFlags } from "./access.ts";
import type { Mm } from "./mm.ts";

/** Pages that are let go at a time. */
const PIECE = XBUF_SIZE / 4;

/** How pages are pinned. */
export interface PinOptions {
  /** For writing: copy-on-write pages are copied first. */
  write?: boolean;
  /** Past the mapping's protection (FOLL_FORCE). */
  force?: boolean;
  /**
   * For a long time (FOLL_PIN | FOLL_LONGTERM), as for a device that does DMA: the pages stay their mapping's
   * own. fork copies them for the child; MADV_PAGEOUT leaves them; a pin to read first unshares a page that
   * is shared copy-on-write, the zero page, or a private mapping's page of a file. Pages in a device's
   * coherent memory are moved to system memory first. EFAULT for a write pin of a shared mapping of a disk
   * file, which could not hear of the writes.
   */
  longTerm?: boolean;
}

/**
 * References on pages of an address space (get_user_pages). They keep the pages where they are. Close it to
 * drop them.
 */
export class Pin {
  /** The page frame numbers, in address order. Fewer than asked for where a page failed. */
  readonly pages: Uint32Array<ArrayBuffer>;
  readonly #ctx: Context;
  /** ACCESS_*. */
  readonly #flags: number;
  #closed = false;

  /** @internal */
  constructor(ctx: Context, pages: Uint32Array<ArrayBuffer>, flags: number) {
    this.#ctx = ctx;
    this.pages = pages;
    this.#flags = flags;
  }

  get npages(): number {
    return this.pages.length;
  }

  /**
   * unpin_user_pages: drops the references. Idempotent. Throws HmmError EINVAL if somebody else has dropped
   * one of them (`hmm.pagePut` of a page that it did not get); the others are dropped all the same.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const ctx = this.#ctx;
    const op = "pin.close";
    // Through the exchange buffer: giving back must not fail for want of memory.
    const { address, restore } = ctx.exchange(4 * Math.min(this.pages.length, PIECE));
    let answer = 0;
    for (let at = 0; at < this.pages.length; at += PIECE) {
      const pages = this.pages.subarray(at, at + PIECE);
      ctx.mem.wordsAt(address, pages.length).set(pages);
      answer = Math.min(answer, ctx.core.unpin(address, pages.length, this.#flags));
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

  [dispose](): void {
    this.close();
  }
}

/** Mm.pin. */
export function pinPages(mm: Mm, addr: number, npages: number, options: PinOptions): Pin {
  const op = "mm.pin";
  const ctx = mm.check(op);
  checkPageAddress(op, "addr", addr);
  checkInteger(op, "npages", npages, 1, 2 ** 27);
  const flags = pinFlags(op, options);
  const longTerm = (flags & ACCESS_PIN) !== 0;
  for (;;) {
    const pin = pinOnce(op, ctx, mm, addr, npages, flags);
    const coherent = longTerm ? [...pin.pages].filter((page) => coherentHome(ctx, page) !== null) : [];
    if (coherent.length === 0) return pin;
    pin.close();
    for (const page of new Set(coherent)) {
      if (evictPages(ctx, coherentHome(ctx, page)!, page, 1) === 0)
        throw new HmmError(EBUSY, op, `device page ${page} cannot be moved to system memory`);
    }
  }
}

/** The devmem of a page, if it is coherent; else null. */
function coherentHome(ctx: Context, page: number): HmmDevmem | null {
  const home = ctx.devmems.get(ctx.core.pageZone(page));
  return home?.coherent === true ? home : null;
}

function pinOnce(op: string, ctx: Context, mm: Mm, addr: number, npages: number, flags: number): Pin {
  mm.mmapSem.enterRead(op);
  let answer: number;
  let pages = new Uint32Array(0);
  try {
    answer = ctx.withScratch(op, 4 * npages, (out) => {
      const pinned = ctx.run(ctx.core.pin(mm.id, addr, npages, out, flags));
      if (pinned > 0) pages = ctx.mem.wordsAt(out, pinned).slice();
      return pinned;
    });
  } finally {
    mm.mmapSem.leaveRead(op);
  }
  if (answer <= 0) ctx.abort(accessError(mm, op, answer === 0 ? -EFAULT : answer, 0));
  const pin = new Pin(ctx, pages, flags);
  try {
    ctx.settle();
  } catch (error) {
    // A callback has thrown: nobody will get the pin.
    pin.close();
    throw error;
  }
  return pin;
}
