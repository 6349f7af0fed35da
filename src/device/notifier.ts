import { EAGAIN, EBUSY, EOVERFLOW } from "../../assembly/uapi/errno.ts";
import type { Context } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import {
  ADDRESS_LIMIT,
  badRange,
  badType,
  checkAddress,
  checkMethod,
  checkOptions,
  checkText,
  checkU32,
  HmmError,
  show,
} from "../engine/errors.ts";
import type { MmuNotifierRange, Subscriber } from "../engine/request.ts";
import { checkMm, type Mm } from "../space/mm.ts";

/** `struct mmu_interval_notifier_ops`. */
export interface MmuIntervalNotifierOps {
  /**
   * Called before the CPU's entries of [range.start, range.end) change. On return the device must not use them any
   * more. Runs inside the operation: what it may not do is take mmapSem for write or wait for it. The sequence number
   * is stored for it (mmu_interval_set_seq) unless it returns false: "the event is my own, and I ignore it". What it
   * throws is thrown by the API call after the operation has been completed.
   */
  invalidate(range: MmuNotifierRange, seq: number): boolean | void;
}

/**
 * A subscription to the invalidations of [start, start + length) of an mm (`struct mmu_interval_notifier`, with
 * mmu_interval_notifier_insert). Made and inserted in one. Whoever made it closes it; closing the mm closes it too,
 * after MMU_NOTIFY_RELEASE.
 */
export class MmuIntervalNotifier implements Subscriber {
  readonly mm: Mm;
  /** First byte. */
  readonly start: number;
  /** Last byte, inclusive. */
  readonly last: number;
  /** Names it in snapshots. */
  readonly id: string;
  /** @internal */
  readonly notifier: number;
  readonly #ctx: Context;
  readonly #ops: MmuIntervalNotifierOps;
  #closed = false;
  #busy = 0;

  /**
   * @param start first byte
   * @param length bytes; 0 or beyond 2^48 throws HmmError EOVERFLOW
   * @param options.id a stable name for Hmm.restore; "notifier1", "notifier2", … by default
   *
   * Throws TypeError for bad arguments or a closed mm, HmmError ENOMEM if no notifier is left.
   */
  constructor(
    mm: Mm,
    start: number,
    length: number,
    ops: MmuIntervalNotifierOps,
    options: { id?: string; /** @internal */ restored?: number } = {},
  ) {
    const op = "new MmuIntervalNotifier";
    const ctx = checkMm(op, mm);
    checkAddress(op, "start", start);
    if (typeof length !== "number") throw badType(op, "length", "a number", length);
    if (!(length >= 0) || (length % 1 !== 0 && length !== Infinity))
      throw badRange(op, "length", "a number of bytes", length);
    checkMethod(op, "ops", ops, "invalidate");
    checkOptions(op, "options", options);
    checkText(op, "options.id", options.id);
    this.mm = mm;
    this.#ctx = ctx;
    this.#ops = ops;
    this.start = start;
    if (length === 0 || start + length > 2 ** 64)
      throw new HmmError(EOVERFLOW, op, `the range is empty or wraps: length ${show(length)}`);
    this.last = Math.min(start + length, ADDRESS_LIMIT) - 1;
    this.notifier = options.restored ?? ctx.finish(op, ctx.core.notifierInsert(mm.id, start, this.last));
    this.id = options.id ?? `notifier${++ctx.ids.notifier}`;
    mm.subscribe(this);
    ctx.notifiers.add(this);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * mmu_interval_read_begin: the sequence number to pass to {@link readRetry}. Throws HmmError EAGAIN inside an
   * invalidation that touches this notifier (the kernel would sleep), TypeError after close.
   */
  readBegin(): number {
    this.#check("notifier.readBegin");
    const seq = this.#busy > 0 ? -EAGAIN : this.#ctx.core.notifierReadBegin(this.notifier);
    if (seq === -EAGAIN) {
      throw new HmmError(
        EAGAIN,
        "notifier.readBegin",
        "inside an invalidation of this range: it cannot wait for itself",
      );
    }
    return seq >>> 0;
  }

  /** mmu_interval_read_retry: true if the range was invalidated since `readBegin()` returned seq. */
  readRetry(seq: number): boolean {
    const op = "notifier.readRetry";
    this.#check(op);
    checkU32(op, "seq", seq);
    return this.#ctx.core.notifierReadRetry(this.notifier, seq) !== 0;
  }

  /**
   * mmu_interval_notifier_remove. Twice: nothing. Throws HmmError EBUSY from its own callback, where the kernel would
   * wait for itself.
   */
  close(): void {
    if (this.#closed) return;
    if (this.#busy > 0)
      throw new HmmError(EBUSY, "notifier.close", "called from the notifier's own callback");
    this.#ctx.core.notifierRemove(this.notifier);
    this.released();
  }

  [dispose](): void {
    this.close();
  }

  /** @internal The core dropped it with its mm. */
  released(): void {
    this.#closed = true;
    this.mm.unsubscribe(this);
    this.#ctx.notifiers.delete(this);
  }

  /** @internal */
  notify(range: MmuNotifierRange, seq: number): boolean {
    this.#busy++;
    try {
      return this.#ops.invalidate(range, seq) !== false;
    } finally {
      this.#busy--;
    }
  }

  /** @internal The context, if the notifier is open and mm's. */
  check(op: string): Context {
    this.#check(op);
    return this.#ctx;
  }

  #check(op: string): void {
    if (this.#closed) throw new TypeError(`${op}: the notifier is closed`);
  }
}
