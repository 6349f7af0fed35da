import { EFAULT } from "../../assembly/uapi/errno.ts";
import type { Context } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import { checkInteger, checkPageAddress } from "../engine/errors.ts";
import { count, inspect, line } from "../engine/inspect.ts";
import type { Words } from "../engine/host.ts";
import { run } from "../engine/request.ts";
import { accessError } from "../space/access.ts";
import { checkMm, type Mm } from "../space/mm.ts";

/**
 * The pages that {@link makeDeviceExclusive} made device-exclusive, for atomic access: locked, with a
 * reference each. As long as they are locked no CPU can take them back: this is the time to enter them in the
 * device's page table. Then close the object: from then on a CPU access takes its page back, after it has
 * told the mirrors.
 */
export class ExclusivePages {
  /** The pages that were reached, in address order; 0 where a page could not be made exclusive. */
  readonly pages: Words;
  readonly #ctx: Context;
  #closed = false;

  private constructor(ctx: Context, pages: Words) {
    this.#ctx = ctx;
    this.pages = pages;
  }

  /** @internal Pages that the core has just made exclusive. */
  static of(ctx: Context, pages: Words): ExclusivePages {
    return new ExclusivePages(ctx, pages);
  }

  /** How many pages could be faulted in, exclusive or not: fewer than requested if a later one could not. */
  get reached(): number {
    return this.pages.length;
  }

  /** How many pages are device-exclusive. */
  get lent(): number {
    return this.pages.reduce((count, page) => (page === 0 ? count : count + 1), 0);
  }

  /** Whether it is closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Unlocks the pages and drops the references; the entries stay exclusive. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { core } = this.#ctx;
    let answer = 0;
    for (const page of this.pages) {
      if (page !== 0) answer = Math.min(answer, core.pageUnlock(page), core.pagePut(page));
    }
    this.#ctx.finish("exclusivePages.close", answer);
  }

  /** @internal */
  [inspect](): string {
    return line("ExclusivePages", this.#closed && "closed", () => [
      `${this.lent} of ${count(this.reached, "page")} exclusive`,
    ]);
  }

  [dispose](): void {
    this.close();
  }
}

/**
 * Makes npages pages from addr (a page address) on exclusive to a device, for atomic access
 * (make_device_exclusive). Each page is faulted in for writing (copied first if it is shared), and its CPU
 * entry becomes a device-exclusive one, announced by MMU_NOTIFY_EXCLUSIVE for that page. A CPU access to the
 * page faults, tells the mirrors by MMU_NOTIFY_CLEAR (6.12: by another MMU_NOTIFY_EXCLUSIVE), and takes the
 * page back. rss and charges stay.
 *
 * mmapSem must be held. The caller closes the result, after it has entered the pages in its device table. No
 * page beyond the first one that cannot be faulted in (a hole, a mapping that must not be written) becomes
 * exclusive. A page cannot become exclusive if it is not anonymous (a page of a shared mapping or a file), or
 * if it is locked: it ends the call too, while 6.12 leaves it out.
 *
 * Under 7.3 this is the kernel's call for one page, made for one page after the other; all of them stay
 * locked and referenced until close(). As for any reference, a write fault on another part of a large folio
 * of which a page is held gets a copy, where the process had the folio alone and would have kept it.
 * @param owner is named in these events, so that a driver can recognize its own. Default: none
 *
 * Throws as mm.pin if the first page cannot be faulted in: HmmError EFAULT, ENOMEM, EAGAIN (an open
 * migration, or exclusive pages that are not closed yet), ELOOP. Throws RangeError and TypeError before
 * anything happens.
 */
export function makeDeviceExclusive(mm: Mm, addr: number, npages: number, owner?: unknown): ExclusivePages {
  const op = "makeDeviceExclusive";
  const ctx = checkMm(op, mm);
  checkPageAddress(op, "addr", addr);
  checkInteger(op, "npages", npages, 1, 2 ** 27);
  mm.mmapSem.demand(op, false);
  const number = ctx.ownerNumber(owner);
  let pages = new Uint32Array(0);
  const answer = ctx.withScratch(op, Math.max(8, 4 * npages), (out) => {
    const reached = run(ctx, ctx.core.makeDeviceExclusive(mm.id, addr, npages, out, number));
    if (reached > 0) pages = ctx.mem.wordsAt(out, reached).slice();
    return reached;
  });
  if (answer <= 0) ctx.abort(accessError(mm, op, answer === 0 ? -EFAULT : answer, 0));
  const exclusive = ExclusivePages.of(ctx, pages);
  try {
    ctx.settle();
  } catch (error) {
    // A callback has thrown, so the caller gets no pages to close.
    exclusive.close();
    throw error;
  }
  return exclusive;
}
