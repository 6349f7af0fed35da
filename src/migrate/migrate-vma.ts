import { EINVAL } from "../../assembly/uapi/errno.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { badRange, badType, checkAddress, checkInteger, checkOptions } from "../engine/errors.ts";
import { checkPfns } from "../page/arrays.ts";
import type { Page } from "../page/words.ts";
import { Vma } from "../space/vma.ts";
import type { Migration } from "./migration.ts";
import { MigrateResult } from "./reasons.ts";
import { setup, type MigrateVmaArgs } from "./setup.ts";

type MigrateCallback<P, R> = (
  vma: Vma,
  src: Uint32Array,
  dst: Uint32Array,
  start: number,
  end: number,
  priv: P,
) => R;

/** The callbacks of {@link migrateVma} (`struct migrate_vma_ops`). Neither runs if there is no candidate. */
export interface MigrateVmaOps<P = undefined> {
  /** Fills dst with locked pages and copies the contents. Must not change src. */
  allocAndCopy: MigrateCallback<P, void>;
  /**
   * Updates the device's page table: the pages of slots that have MIGRATE in src have moved. Must change
   * neither array.
   */
  finalizeAndMap: MigrateCallback<P, void>;
}

/** {@link MigrateVmaOps} whose callbacks may be awaited. */
export interface MigrateVmaAsyncOps<P = undefined> {
  allocAndCopy: MigrateCallback<P, void | Promise<void>>;
  finalizeAndMap: MigrateCallback<P, void | Promise<void>>;
}

/** What {@link migrateVma} takes beside its ops. */
export interface MigrateVmaCall<P = undefined> extends MigrateVmaArgs {
  /** The source words that the callbacks see, at least npages long. Default: the engine's own array. */
  src?: Uint32Array | undefined;
  /** The destination words that the callbacks see, at least npages long. Default: the engine's own array. */
  dst?: Uint32Array | undefined;
  /** A value that is passed on to the callbacks. */
  priv?: P | undefined;
}

const FAILED = MigrateResult.of(-EINVAL, 0, 0, 0, new Uint8Array(0), false);

/** One 2018 call in progress: the driver's arrays and the engine's. */
class LegacyCall<P> {
  readonly m: Migration;
  readonly src: Uint32Array;
  readonly dst: Uint32Array;
  readonly call: MigrateVmaCall<P>;

  constructor(m: Migration, call: MigrateVmaCall<P>) {
    this.m = m;
    this.call = call;
    this.src = call.src ?? m.src;
    this.dst = call.dst ?? m.dst;
    if (this.src !== m.src) this.src.set(m.src);
    if (this.dst !== m.dst) this.dst.fill(0, 0, m.npages);
  }

  callback<R>(callback: MigrateCallback<P, R>): R {
    const { m, src, dst, call } = this;
    return callback(m.vma!, src, dst, m.start, m.end, call.priv as P);
  }

  /**
   * Takes over what the driver put into dst: it belongs to the migration, and finalizing drops it, whatever
   * happens.
   */
  take(): void {
    const { m, dst } = this;
    if (dst !== m.dst) m.dst.set(dst.length === m.npages ? dst : dst.subarray(0, m.npages));
  }

  /** Between the callbacks: moves the pages and shows the driver what is left of src. */
  move(): void {
    const { m, src } = this;
    m.pages();
    if (src !== m.src) src.set(m.src);
  }
}

function checkCallback(op: string, name: string, callback: unknown): void {
  if (typeof callback !== "function") throw badType(op, name, "a function", callback);
}

function begin<P>(op: string, ops: MigrateVmaAsyncOps<P>, call: MigrateVmaCall<P>): Migration | null {
  if (ops === null || ops === undefined) return null;
  checkCallback(op, "ops.allocAndCopy", ops.allocAndCopy);
  checkCallback(op, "ops.finalizeAndMap", ops.finalizeAndMap);
  checkOptions(op, "call", call);
  checkAddress(op, "start", call.start);
  checkInteger(op, "end", call.end, 0, 2 ** 48);
  const n = Math.floor((call.end - call.start) / PAGE_SIZE);
  if (call.src !== undefined) checkPfns(op, "src", call.src, n > 0 ? n : 0);
  if (call.dst !== undefined) checkPfns(op, "dst", call.dst, n > 0 ? n : 0);
  if (call.src !== undefined && call.src === call.dst)
    throw badRange(op, "dst", "another array than src", call.dst);
  const migration = setup(op, call, true);
  return typeof migration === "number" ? null : migration;
}

/**
 * Migrates a range in one call, as the HMM document has it (migrate_vma): collect, allocAndCopy, move,
 * finalizeAndMap, finalize. mmapSem must be held; start and end are rounded down to pages. Without `owner`
 * and `select` it collects every kind of page, on any owner's device: that is 2018's rule.
 *
 * Returns a result whose `ret` is 0, or -EINVAL where nothing was done (ops null, or what migrateVmaSetup
 * refuses with EINVAL). Throws TypeError and RangeError before anything happens, HmmError ENOMEM; if a
 * callback throws, every page that has not moved is put back first.
 */
export function migrateVma<P = undefined>(ops: MigrateVmaOps<P>, call: MigrateVmaCall<P>): MigrateResult {
  const m = begin("migrateVma", ops, call);
  if (m === null) return FAILED;
  try {
    if (m.cpages > 0) {
      const legacy = new LegacyCall(m, call);
      try {
        legacy.callback(ops.allocAndCopy);
      } finally {
        legacy.take();
      }
      legacy.move();
      legacy.callback(ops.finalizeAndMap);
    }
  } finally {
    m.finalize();
  }
  return m.result;
}

/**
 * Migrates as {@link migrateVma} does, and awaits the callbacks. mmapSem must be held until the promise
 * settles.
 */
export async function migrateVmaAsync<P = undefined>(
  ops: MigrateVmaAsyncOps<P>,
  call: MigrateVmaCall<P>,
): Promise<MigrateResult> {
  const m = begin("migrateVmaAsync", ops, call);
  if (m === null) return FAILED;
  try {
    if (m.cpages > 0) {
      const legacy = new LegacyCall(m, call);
      try {
        await legacy.callback(ops.allocAndCopy);
      } finally {
        legacy.take();
      }
      legacy.move();
      await legacy.callback(ops.finalizeAndMap);
    }
  } finally {
    m.finalize();
  }
  return m.result;
}

/**
 * Allocates a page of system memory for a migration's destination (hmm_vma_alloc_locked_page): locked, with
 * one reference, not zeroed. Returns 0 if none is left, or if vma is null or does not hold addr. The page
 * belongs to the caller until it stands in dst. Throws TypeError and RangeError.
 */
export function hmmVmaAllocLockedPage(vma: Vma | null, addr: number): Page {
  const op = "hmmVmaAllocLockedPage";
  if (vma === null) return 0;
  if (!(vma instanceof Vma)) throw badType(op, "vma", "a Vma", vma);
  const ctx = vma.check(op).mm.check(op);
  checkAddress(op, "addr", addr);
  if (addr < vma.start || addr >= vma.end) return 0;
  return ctx.core.systemAllocPage() >>> 0;
}
