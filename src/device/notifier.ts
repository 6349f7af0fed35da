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
  checkWord,
  HmmError,
  show,
} from "../engine/errors.ts";
import { inspect, line, span } from "../engine/inspect.ts";
import type { MmuNotifyEvent } from "../engine/protocol.ts";
import { checkMm, type Mm } from "../space/mm.ts";

/** What is about to change (`struct mmu_notifier_range`). */
export interface MmuNotifierRange {
  mm: Mm;
  /** The first byte. */
  start: number;
  /** The end, exclusive. */
  end: number;
  /** MMU_NOTIFY_*: why the entries change. */
  event: MmuNotifyEvent;
  /** The owner that the operation names (MMU_NOTIFY_MIGRATE, MMU_NOTIFY_EXCLUSIVE), else null. */
  owner: unknown;
}

/** The callback of an interval notifier (`struct mmu_interval_notifier_ops`). */
export interface MmuIntervalNotifierOps {
  /**
   * Called before the CPU's entries of [range.start, range.end) change: once it has returned, the device must
   * not use its own entries of that range. Runs inside the operation, so it must not take mmapSem for write
   * or wait for it. `seq` becomes the notifier's sequence number (mmu_interval_set_seq), unless the callback
   * returns false: "the event is my own, and I ignore it". What it throws is thrown by the API call, after
   * the operation is complete.
   */
  invalidate(range: MmuNotifierRange, seq: number): boolean | void;
}

/**
 * A subscription to the invalidations of [start, start + length), in bytes, of an mm (`struct
 * mmu_interval_notifier`). The constructor inserts it (mmu_interval_notifier_insert). The caller closes it;
 * closing the mm closes it too, after MMU_NOTIFY_RELEASE.
 */
export class MmuIntervalNotifier {
  readonly mm: Mm;
  /** The first byte. */
  readonly start: number;
  /** The last byte, inclusive. */
  readonly last: number;
  /** The stable name that snapshots use. */
  readonly id: string;
  /** @internal See Subscriber. */
  readonly kind = "notifier";
  /** @internal The core's id of the subscription. */
  readonly notifier: number;
  readonly #ctx: Context;
  readonly #ops: MmuIntervalNotifierOps;
  #closed = false;
  #busy = 0;

  /**
   * @param start the first byte
   * @param length bytes; what reaches beyond 2^48 is cut off
   * @param options.id a stable name for Hmm.restore. Default: "notifier1", "notifier2", …
   *
   * Throws TypeError and RangeError for bad arguments, a closed mm or the id of another notifier, HmmError
   * EOVERFLOW if the range is empty or wraps around 2^64, ENOMEM if no notifier is left.
   */
  constructor(
    mm: Mm,
    start: number,
    length: number,
    ops: MmuIntervalNotifierOps,
    options: { id?: string | undefined; /** @internal */ restored?: number | undefined } = {},
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
    this.id = ctx.newId(op, "notifier", options.id);
    this.notifier = options.restored ?? ctx.finish(op, ctx.core.notifierInsert(mm.id, start, this.last));
    ctx.taken.notifier.add(this.id);
    mm.subscribe(this);
    ctx.notifiers.add(this);
  }

  /** Whether it is closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Returns the sequence number to pass to {@link readRetry} (mmu_interval_read_begin). Throws HmmError
   * EAGAIN inside an invalidation that touches this notifier, where the kernel would sleep; TypeError after
   * close().
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

  /**
   * Returns whether the range was invalidated since `readBegin()` returned seq (mmu_interval_read_retry).
   * Throws TypeError after close() and unless seq is a 32-bit word.
   */
  readRetry(seq: number): boolean {
    const op = "notifier.readRetry";
    this.#check(op);
    checkWord(op, "seq", seq);
    return this.#ctx.core.notifierReadRetry(this.notifier, seq) !== 0;
  }

  /**
   * Ends the subscription (mmu_interval_notifier_remove). Idempotent. Throws HmmError EBUSY from its own
   * callback, where the kernel would wait for itself.
   */
  close(): void {
    if (this.#closed) return;
    if (this.#busy > 0)
      throw new HmmError(EBUSY, "notifier.close", "called from the notifier's own callback");
    this.#ctx.core.notifierRemove(this.notifier);
    this.mmClosed();
  }

  [dispose](): void {
    this.close();
  }

  /** @internal */
  [inspect](): string {
    return line(`MmuIntervalNotifier "${this.id}"`, this.#closed && "closed", () => [
      `mm ${this.mm.id}`,
      span(this.start, this.last + 1),
    ]);
  }

  /** @internal See Subscriber: the core has dropped the subscription. */
  mmClosed(): void {
    this.#closed = true;
    this.mm.unsubscribe(this);
    this.#ctx.notifiers.delete(this);
    this.#ctx.taken.notifier.delete(this.id);
  }

  /** @internal See Subscriber. */
  notify(range: MmuNotifierRange, seq: number): boolean {
    this.#busy++;
    try {
      return this.#ops.invalidate(range, seq) !== false;
    } finally {
      this.#busy--;
    }
  }

  /**
   * @internal Returns the context. Throws TypeError, naming the operation `op`, if the notifier is closed.
   */
  check(op: string): Context {
    this.#check(op);
    return this.#ctx;
  }

  #check(op: string): void {
    if (this.#closed) throw new TypeError(`${op}: the notifier is closed`);
  }
}
