import { EFAULT } from "../../assembly/uapi/errno.ts";
import type { Context } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import { checkInteger, checkPageAddress } from "../engine/errors.ts";
import { accessError } from "../space/access.ts";
import { checkMm, type Mm } from "../space/mm.ts";

/**
 * Pages that are lent to a device for exclusive (atomic) access, as {@link makeDeviceExclusive} found them: locked, with
 * a reference each. While they are locked nobody can take them back, so this is the time to enter them in the device's
 * table. Close it then: from then on a CPU access takes its page back, after it has told the mirrors.
 */
export class ExclusivePages {
  /** The pages in address order, 0 where one could not be lent. Only those that were reached. */
  readonly pages: Uint32Array<ArrayBuffer>;
  readonly #ctx: Context;
  #closed = false;

  /** @internal */
  constructor(ctx: Context, pages: Uint32Array<ArrayBuffer>) {
    this.#ctx = ctx;
    this.pages = pages;
  }

  /** Pages that could be faulted in, lent or not: fewer than asked for if a later one could not. */
  get reached(): number {
    return this.pages.length;
  }

  /** Pages that are lent. */
  get lent(): number {
    return this.pages.reduce((count, page) => (page === 0 ? count : count + 1), 0);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Unlocks the pages and drops the references; the entries stay exclusive. Twice: nothing. */
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

  [dispose](): void {
    this.close();
  }
}

/**
 * make_device_exclusive: lends npages pages from addr (a page address) on to a device, for atomic access. Each is
 * faulted in for writing (copied first if it is shared), and every CPU entry of it becomes a device-exclusive one,
 * announced by MMU_NOTIFY_EXCLUSIVE for that page. A CPU access to it faults, tells the mirrors by another such event,
 * and takes the page back. rss and charges stay.
 *
 * mmapSem must be held. The caller closes the result, after it has mapped what is lent in its device table. A page
 * cannot be lent if it is not anonymous (a shared mapping's, a file's), or if somebody has it locked; and nothing is
 * lent beyond the first page that cannot be faulted in (a hole, a mapping that may not be written).
 *
 * `owner` is named in the events of the lending, so that a driver can tell its own; default: nobody.
 *
 * Throws as mm.pin if the first page cannot be faulted in: HmmError EFAULT, ENOMEM, EAGAIN (an open migration, or pages
 * lent already and not closed yet), ELOOP. RangeError and TypeError before anything happens.
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
    const reached = ctx.run(ctx.core.makeDeviceExclusive(mm.id, addr, npages, out, number));
    if (reached > 0) pages = ctx.mem.wordsAt(out, reached).slice();
    return reached;
  });
  if (answer <= 0) ctx.abort(accessError(mm, op, answer === 0 ? -EFAULT : answer, 0));
  const exclusive = new ExclusivePages(ctx, pages);
  try {
    ctx.settle();
  } catch (error) {
    // A callback has thrown: nobody will get the pages.
    exclusive.close();
    throw error;
  }
  return exclusive;
}
