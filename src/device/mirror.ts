import { EINVAL } from "../../assembly/uapi/errno.ts";
import {
  MMU_NOTIFY_PROTECTION_PAGE,
  MMU_NOTIFY_PROTECTION_VMA,
  MMU_NOTIFY_RELEASE,
} from "../../assembly/uapi/event.ts";
import { PROT_READ } from "../../assembly/uapi/vm.ts";
import type { Context } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import { ADDRESS_LIMIT, badType, checkOptions, checkText } from "../engine/errors.ts";
import { inspect, line } from "../engine/inspect.ts";
import type { MmuNotifyEvent } from "../engine/protocol.ts";
import { checkMm, type Mm } from "../space/mm.ts";
import type { MmuNotifierRange } from "./notifier.ts";

/** The action of `update` after which the device must not use its entries of the range. */
export const HMM_UPDATE_INVALIDATE = 0;
/** The action of `update` after which the device must not write through its entries of the range. */
export const HMM_UPDATE_WRITE_PROTECT = 1;

/** HMM_UPDATE_*: what a mirror's `update` has to do. */
export type HmmUpdateAction = typeof HMM_UPDATE_INVALIDATE | typeof HMM_UPDATE_WRITE_PROTECT;

/**
 * @param action HMM_UPDATE_*
 * @param start the first byte, as the event has it: not clipped to any mapping
 * @param end exclusive
 * @param event MMU_NOTIFY_*: why the entries change
 */
export type HmmMirrorUpdate = (
  mirror: HmmMirror,
  action: HmmUpdateAction,
  start: number,
  end: number,
  event: MmuNotifyEvent,
) => void;

/** The callbacks of a mirror (`struct hmm_mirror_ops`). */
export interface HmmMirrorOps {
  /**
   * Called before the CPU's entries of [start, end) change: once it has returned, the device must not use its
   * own entries of that range (INVALIDATE), or must not write through them (WRITE_PROTECT). Runs inside the
   * operation, so it must not take mmapSem for write. What it throws is thrown by the API call, after the
   * operation is complete.
   */
  update?: HmmMirrorUpdate | undefined;
  /** The 2018 code's name for `update`; one of the two is needed. */
  syncCpuDevicePagetables?: HmmMirrorUpdate | undefined;
  /**
   * Called when the mm goes away. The mirror is unregistered already; do not use it or the mm after this
   * returns.
   */
  release?: ((mirror: HmmMirror) => void) | undefined;
}

/**
 * A device's mirror of an address space (`struct hmm_mirror`). Register it with {@link hmmMirrorRegister}; an
 * mm may have several, a mirror has one mm at a time.
 */
export class HmmMirror {
  readonly ops: HmmMirrorOps;
  #id: string | undefined;
  /** The mm that it mirrors; null unless registered. */
  mm: Mm | null = null;
  /** @internal See Subscriber. */
  readonly kind = "mirror";
  /** @internal See Subscriber. */
  readonly silent = false;
  /** @internal The core's id of the subscription. */
  notifier = 0;
  /** The first byte that it mirrors. */
  readonly start = 0;
  /** The last byte that it mirrors, inclusive. */
  readonly last = ADDRESS_LIMIT - 1;
  /** @internal */
  ctx: Context | null = null;

  /**
   * @param options.id a stable name for Hmm.restore. Default: "mirror1", "mirror2", …
   *
   * Throws TypeError for bad options; {@link hmmMirrorRegister} checks `ops`.
   */
  constructor(ops: HmmMirrorOps, options: { id?: string | undefined } = {}) {
    const op = "new HmmMirror";
    checkOptions(op, "options", options);
    checkText(op, "options.id", options.id);
    this.ops = ops;
    this.#id = options.id;
  }

  /**
   * The stable name that snapshots use. A mirror that was given none gets it at its first registration, and
   * is "" until then.
   */
  get id(): string {
    return this.#id ?? "";
  }

  /** Whether it is registered. */
  get registered(): boolean {
    return this.mm !== null;
  }

  /** @internal See Subscriber. */
  get closed(): boolean {
    return this.mm === null;
  }

  /** Unregisters the mirror, as {@link hmmMirrorUnregister} does. Idempotent. */
  close(): void {
    hmmMirrorUnregister(this);
  }

  [dispose](): void {
    hmmMirrorUnregister(this);
  }

  /** @internal */
  [inspect](): string {
    return line(`HmmMirror "${this.id}"`, this.mm === null && "not registered", () => [`mm ${this.mm!.id}`]);
  }

  /** @internal See Subscriber. */
  notify(range: MmuNotifierRange): boolean {
    const update = this.ops.update ?? this.ops.syncCpuDevicePagetables;
    update?.call(this.ops, this, actionOf(range), range.start, range.end, range.event);
    return true;
  }

  /** @internal Registers the mirror; `restored`: the core has its subscription already, under this id. */
  attach(op: string, mm: Mm, ctx: Context, restored?: number): void {
    const id = ctx.newId(op, "mirror", this.#id);
    this.notifier = restored ?? ctx.finish(op, ctx.core.notifierInsert(mm.id, this.start, this.last));
    this.#id = id;
    ctx.taken.mirror.add(id);
    this.mm = mm;
    this.ctx = ctx;
    mm.subscribe(this);
    ctx.mirrors.add(this);
  }

  /** @internal Unregisters the mirror. */
  detach(): void {
    const { mm, ctx } = this;
    if (mm === null || ctx === null) return;
    ctx.core.notifierRemove(this.notifier);
    mm.unsubscribe(this);
    ctx.mirrors.delete(this);
    ctx.taken.mirror.delete(this.id);
    this.mm = null;
  }

  /** @internal See Subscriber: the last update, then release. What the callbacks throw is kept. */
  mmClosed(): void {
    const { mm, ctx } = this;
    if (mm === null || ctx === null) return;
    ctx.depth++;
    try {
      this.notify({ mm, start: 0, end: ADDRESS_LIMIT, event: MMU_NOTIFY_RELEASE, owner: null });
    } catch (error) {
      ctx.keep(error);
    }
    this.detach();
    try {
      this.ops.release?.(this);
    } catch (error) {
      ctx.keep(error);
    }
    ctx.depth--;
  }
}

/**
 * A write-protected page, or a protection with PROT_READ, takes only the right to write away. While
 * mprotect() runs, the mm knows the protection that it installs.
 */
function actionOf(range: MmuNotifierRange): HmmUpdateAction {
  if (range.event === MMU_NOTIFY_PROTECTION_PAGE) return HMM_UPDATE_WRITE_PROTECT;
  const keepsRead = range.event === MMU_NOTIFY_PROTECTION_VMA && (range.mm.protecting & PROT_READ) !== 0;
  return keepsRead ? HMM_UPDATE_WRITE_PROTECT : HMM_UPDATE_INVALIDATE;
}

function register(op: string, mirror: HmmMirror | null, mm: Mm | null, locked: boolean): number {
  if (mirror == null || mm == null) return -EINVAL;
  if (!(mirror instanceof HmmMirror)) throw badType(op, "mirror", "a HmmMirror", mirror);
  if (mirror.ops == null) return -EINVAL;
  const ctx = checkMm(op, mm);
  const update = mirror.ops.update ?? mirror.ops.syncCpuDevicePagetables;
  if (typeof update !== "function") throw badType(op, "mirror.ops.update", "a function", update);
  if (mirror.mm !== null) throw new TypeError(`${op}: the mirror is registered already`);
  if (locked) {
    mm.mmapSem.demand(op, true);
    mirror.attach(op, mm, ctx);
    return 0;
  }
  ctx.demandNoInvalidation(op);
  mm.mmapSem.enterWrite(op);
  try {
    mirror.attach(op, mm, ctx);
  } finally {
    mm.mmapSem.leaveWrite();
  }
  return 0;
}

/**
 * Registers a mirror (hmm_mirror_register): from now on its `update` is called for every change to mm. Takes
 * mm's mmapSem for write; use hmmMirrorRegisterLocked where the lock is held. Returns 0, or -EINVAL if
 * mirror, its ops or mm are null.
 *
 * Throws TypeError (not a mirror, no update callback, registered already, mm closed), RangeError (another
 * mirror has its id) and HmmError ENOMEM (no notifier is left), EDEADLK (mmapSem is held).
 */
export function hmmMirrorRegister(mirror: HmmMirror | null, mm: Mm | null): number {
  return register("hmmMirrorRegister", mirror, mm, false);
}

/**
 * Registers a mirror as {@link hmmMirrorRegister} does. Throws TypeError unless mm's mmapSem is held for
 * write.
 */
export function hmmMirrorRegisterLocked(mirror: HmmMirror | null, mm: Mm | null): number {
  return register("hmmMirrorRegisterLocked", mirror, mm, true);
}

/**
 * Unregisters a mirror (hmm_mirror_unregister): its callbacks are not called any more. Does nothing for a
 * mirror that is not registered, or whose mm is gone. The mm's other mirrors stay, and this one may be
 * registered again. Throws TypeError for anything but a mirror.
 */
export function hmmMirrorUnregister(mirror: HmmMirror): void {
  if (!(mirror instanceof HmmMirror)) throw badType("hmmMirrorUnregister", "mirror", "a HmmMirror", mirror);
  mirror.detach();
}
