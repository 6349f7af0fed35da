import { EAGAIN, EBUSY, EOVERFLOW } from "../../assembly/uapi/errno.ts";
import { MMU_NOTIFY_EXCLUSIVE, MMU_NOTIFY_UNMAP } from "../../assembly/uapi/event.ts";
import { NOTIFIER_TOLD } from "../../assembly/abi/object.ts";
import { RESOURCE_NOTIFIER } from "../../assembly/abi/pool.ts";
import type { Context } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import {
  ADDRESS_LIMIT,
  badRange,
  badType,
  checkAddress,
  checkInteger,
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
import { DeviceTable } from "./device-table.ts";

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
  /** @internal See Subscriber. */
  get silent(): boolean {
    return this.#ops === null;
  }

  /** @internal The core's id of the subscription. */
  readonly notifier: number;
  readonly #ctx: Context;
  /** Null: the core serves the subscription alone. */
  readonly #ops: MmuIntervalNotifierOps | null;
  #closed = false;
  #busy = 0;

  /**
   * @param start the first byte
   * @param length bytes; what reaches beyond 2^48 is cut off
   * @param ops the callback; null if the table has all that is to be told
   * @param options.id a stable name for Hmm.restore. Default: "notifier1", "notifier2", …
   * @param options.table a device table of the mm, which the core then keeps true: before the callback it
   * drops the entries of the range, or takes the right to write from them (MMU_NOTIFY_PROTECTION_PAGE). This
   * costs no call of TypeScript
   * @param options.owner whose own migrations (MMU_NOTIFY_MIGRATE) leave the table as it is, as they do a
   * callback's that returns false. Default: nobody's
   *
   * Throws TypeError and RangeError for bad arguments, a closed mm, a table of another mm or the id of
   * another notifier, HmmError EOVERFLOW if the range is empty or wraps around 2^64, ENOMEM if no notifier is
   * left.
   */
  constructor(
    mm: Mm,
    start: number,
    length: number,
    ops: MmuIntervalNotifierOps | null,
    options: {
      id?: string | undefined;
      table?: DeviceTable | undefined;
      owner?: unknown;
      /** @internal */
      restored?: number | undefined;
    } = {},
  ) {
    const op = "new MmuIntervalNotifier";
    const ctx = checkMm(op, mm);
    checkAddress(op, "start", start);
    if (typeof length !== "number") throw badType(op, "length", "a number", length);
    if (!(length >= 0) || (length % 1 !== 0 && length !== Infinity))
      throw badRange(op, "length", "a number of bytes", length);
    checkOptions(op, "options", options);
    const { id, table, owner, restored } = options;
    if (ops !== null || (table === undefined && restored === undefined))
      checkMethod(op, "ops", ops, "invalidate");
    checkText(op, "options.id", id);
    if (table !== undefined && !(table instanceof DeviceTable))
      throw badType(op, "options.table", "a DeviceTable", table);
    if (table !== undefined && (table.mm !== mm || table.closed))
      throw new TypeError(`${op}: options.table must be an open table of mm, and it is not`);
    this.mm = mm;
    this.#ctx = ctx;
    this.#ops = ops;
    this.start = start;
    if (length === 0 || start + length > 2 ** 64)
      throw new HmmError(EOVERFLOW, op, `the range is empty or wraps: length ${show(length)}`);
    this.last = Math.min(start + length, ADDRESS_LIMIT) - 1;
    this.id = ctx.newId(op, "notifier", id);
    this.notifier = restored ?? ctx.finish(op, ctx.core.notifierInsert(mm.id, start, this.last));
    if (table !== undefined)
      ctx.core.notifierBind(this.notifier, table.id, ctx.ownerNumber(owner), ops === null ? 0 : 1);
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
   * Returns how often the core has told the notifier's table of an event (MMU_NOTIFY_*) so far; 0 without a
   * table. Throws TypeError after close(), and RangeError for what is no event.
   */
  told(event: MmuNotifyEvent): number {
    const op = "notifier.told";
    this.#check(op);
    checkInteger(op, "event", event, MMU_NOTIFY_UNMAP, MMU_NOTIFY_EXCLUSIVE);
    const { mem } = this.#ctx;
    return mem.u32(mem.objectAddress(RESOURCE_NOTIFIER, this.notifier) + NOTIFIER_TOLD + 4 * event);
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
    const ops = this.#ops;
    if (ops === null) return false;
    this.#busy++;
    try {
      return ops.invalidate(range, seq) !== false;
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
