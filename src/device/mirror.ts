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
import type { MmuNotifierRange, Subscriber } from "../engine/request.ts";
import { checkMm, type Mm } from "../space/mm.ts";

/** `update`: the device must drop its entries of the range. */
export const HMM_UPDATE_INVALIDATE = 0;
/** `update`: it is enough that the device stops writing. */
export const HMM_UPDATE_WRITE_PROTECT = 1;

/**
 * @param action HMM_UPDATE_*
 * @param start first byte, as the event has it: not clipped to anything
 * @param end exclusive
 * @param event MMU_NOTIFY_*: why
 */
export type HmmMirrorUpdate = (
  mirror: HmmMirror,
  action: number,
  start: number,
  end: number,
  event: number,
) => void;

/** `struct hmm_mirror_ops`. */
export interface HmmMirrorOps {
  /**
   * Called before the CPU's entries of [start, end) change: on return the device must not use its entries of that
   * range any more (INVALIDATE) or must not write through them (WRITE_PROTECT). Runs inside the operation: it may not
   * take mmapSem for write. What it throws is thrown by the API call after the operation has been completed.
   */
  update?: HmmMirrorUpdate;
  /** The 2018 code's name for `update`; one of the two is needed. */
  syncCpuDevicePagetables?: HmmMirrorUpdate;
  /** The mm goes away. The mirror is unregistered already; do not use it or the mm after this returns. */
  release?: (mirror: HmmMirror) => void;
}

/**
 * A device's mirror of an address space (`struct hmm_mirror`). Register it with {@link hmmMirrorRegister}; an mm may
 * have several, a mirror has one mm at a time.
 */
export class HmmMirror implements Subscriber {
  readonly ops: HmmMirrorOps;
  /** Names it in snapshots; given at registration if the constructor was not told. */
  id: string;
  /** The mm that it mirrors; null unless registered. */
  mm: Mm | null = null;
  /** @internal */
  notifier = 0;
  readonly start = 0;
  readonly last = ADDRESS_LIMIT - 1;
  /** @internal */
  ctx: Context | null = null;

  /** @param options.id a stable name for Hmm.restore; "mirror1", "mirror2", … by default. */
  constructor(ops: HmmMirrorOps, options: { id?: string } = {}) {
    const op = "new HmmMirror";
    checkOptions(op, "options", options);
    checkText(op, "options.id", options.id);
    this.ops = ops;
    this.id = options.id ?? "";
  }

  get registered(): boolean {
    return this.mm !== null;
  }

  /** @internal */
  get closed(): boolean {
    return this.mm === null;
  }

  /** As {@link hmmMirrorUnregister}. */
  close(): void {
    hmmMirrorUnregister(this);
  }

  [dispose](): void {
    hmmMirrorUnregister(this);
  }

  /** @internal */
  notify(range: MmuNotifierRange): boolean {
    const update = this.ops.update ?? this.ops.syncCpuDevicePagetables;
    update?.call(this.ops, this, actionOf(range), range.start, range.end, range.event);
    return true;
  }

  /** @internal */
  attach(op: string, mm: Mm, ctx: Context, restored?: number): void {
    this.notifier = restored ?? ctx.finish(op, ctx.core.notifierInsert(mm.id, this.start, this.last));
    this.mm = mm;
    this.ctx = ctx;
    if (this.id === "") this.id = `mirror${++ctx.ids.mirror}`;
    mm.subscribe(this);
    ctx.mirrors.add(this);
  }

  /** @internal */
  detach(): void {
    const { mm, ctx } = this;
    if (mm === null || ctx === null) return;
    ctx.core.notifierRemove(this.notifier);
    mm.unsubscribe(this);
    ctx.mirrors.delete(this);
    this.mm = null;
  }

  /** @internal The mm is closing: its last update, then release. The callbacks' exceptions are kept. */
  release(): void {
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
 * Losing the right to write is all that a write-protected page or a protection with PROT_READ takes away. Which
 * protection mprotect() installs is known while it runs.
 */
function actionOf(range: MmuNotifierRange): number {
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
 * hmm_mirror_register: from now on the mirror hears of every change to mm. Takes mm's mmapSem for write; use the
 * `…Locked` form where it is held. Returns 0, or -EINVAL if mirror, its ops or mm are null.
 *
 * Throws TypeError (not a mirror, no update callback, registered already, mm closed) and HmmError ENOMEM (no notifier
 * left), EDEADLK (mmapSem is held).
 */
export function hmmMirrorRegister(mirror: HmmMirror | null, mm: Mm | null): number {
  return register("hmmMirrorRegister", mirror, mm, false);
}

/** As {@link hmmMirrorRegister}, with mm's mmapSem held for write by somebody; TypeError if it is not. */
export function hmmMirrorRegisterLocked(mirror: HmmMirror | null, mm: Mm | null): number {
  return register("hmmMirrorRegisterLocked", mirror, mm, true);
}

/**
 * hmm_mirror_unregister: the mirror hears nothing any more. Of a mirror that is not registered (or whose mm is gone)
 * it does nothing. The mm's other mirrors go on; this one may be registered again.
 */
export function hmmMirrorUnregister(mirror: HmmMirror): void {
  if (!(mirror instanceof HmmMirror)) throw badType("hmmMirrorUnregister", "mirror", "a HmmMirror", mirror);
  mirror.detach();
}
