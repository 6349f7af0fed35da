import { EINVAL } from "../../assembly/uapi/errno.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { MIGRATE_VMA_SELECT_DEVICE_PRIVATE, MIGRATE_VMA_SELECT_SYSTEM } from "../../assembly/uapi/pfn.ts";
import { OWNER_ANY } from "../../assembly/abi/argument.ts";
import { HmmDevmem } from "../device/devmem.ts";
import { checkPfns, type Page } from "../device/pages.ts";
import {
  badRange,
  badType,
  checkAddress,
  checkInteger,
  checkOptions,
  checkU32,
  hex,
  HmmError,
  roundDown,
} from "../engine/errors.ts";
import { Vma } from "../space/vma.ts";
import { Migration } from "./migration.ts";
import { MigrateResult } from "./reasons.ts";

/** What {@link migrateVmaSetup} takes: `struct migrate_vma`. */
export interface MigrateVmaArgs {
  /** The mapping; null is EINVAL, as for any range that is not wholly inside one mapping. */
  vma: Vma | null;
  /** First byte; rounded down to a page. */
  start: number;
  /** End, exclusive; rounded down to a page. */
  end: number;
  /** Whose device pages may be collected: what was given to hmmDevmemAdd, a HmmDevmem, or an object with one as devmem. */
  owner?: unknown;
  /**
   * MIGRATE_VMA_SELECT_*. Default: system pages; in a devmem's fault callback, that device's pages. With
   * MIGRATE_VMA_SELECT_COMPOUND a huge page that lies wholly in the range stays one: its first slot has
   * MIGRATE_PFN_COMPOUND, the 511 others are 0; so is an untouched, aligned 2 MiB that is all of the range.
   */
  select?: number;
  /** The page that a fault callback was given. Default: inside a fault callback, its page, if start…end holds it. */
  faultPage?: Page;
}

/** Checks the arguments. Returns the mapping; null: EINVAL. */
function checkSetup(op: string, args: MigrateVmaArgs): Vma | null {
  if (typeof args !== "object" || args === null) throw badType(op, "args", "an object", args);
  const { vma } = args;
  if (vma === null || vma === undefined) return null;
  if (!(vma instanceof Vma)) throw badType(op, "vma", "a Vma", vma);
  vma.check(op);
  vma.mm.mmapSem.demand(op, false);
  checkAddress(op, "start", args.start);
  checkInteger(op, "end", args.end, 0, 2 ** 48);
  return vma;
}

function setup(op: string, args: MigrateVmaArgs, legacy: boolean): Migration | number {
  const vma = checkSetup(op, args);
  if (vma === null) return -EINVAL;
  const start = roundDown(args.start, PAGE_SIZE);
  const end = roundDown(args.end, PAGE_SIZE);
  // The rest is checked by the core: the end, and whether the mapping is one that HMM handles.
  if (start >= end || start < vma.start || start >= vma.end) return -EINVAL;
  const ctx = vma.mm.check(op);
  const fault = ctx.faults.length > 0 ? ctx.faults[ctx.faults.length - 1] : undefined;
  const own = fault !== undefined && fault.mm === vma.mm && fault.address >= start && fault.address < end;
  const usual = legacy
    ? MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_DEVICE_PRIVATE
    : own
      ? MIGRATE_VMA_SELECT_DEVICE_PRIVATE
      : MIGRATE_VMA_SELECT_SYSTEM;
  const select = args.select === undefined ? usual : checkU32(op, "select", args.select);
  let owner = ctx.ownerNumber(args.owner);
  if (owner === 0) owner = own ? fault.devmem.ownerNumber : legacy ? OWNER_ANY : 0;
  const faultPage =
    args.faultPage === undefined ? (own ? fault.page : 0) : checkU32(op, "faultPage", args.faultPage);
  const id = ctx.run(ctx.core.migrateSetup(vma.mm.id, start, end, select, owner, faultPage));
  if (id === -EINVAL) return -EINVAL;
  return Migration.begin(ctx, op, id, vma.mm, vma);
}

/**
 * migrate_vma_setup: collects the pages of [start, end), takes every CPU mapping of them away and locks them. mmapSem
 * must be held, and stay held until `pages()` is done. The caller finalises the returned migration (`using`).
 *
 * Throws HmmError EINVAL (no mapping, range outside of it, empty range, a special mapping), ENOMEM (no migration or
 * no arena left); TypeError (stale vma, lock not held) and RangeError before anything happens.
 */
export function migrateVmaSetup(args: MigrateVmaArgs): Migration {
  const op = "migrateVmaSetup";
  const migration = setup(op, args, false);
  if (typeof migration !== "number") return migration;
  const { vma, start, end, faultPage } = args;
  if (vma == null) throw new HmmError(EINVAL, op, `vma must be a mapping that HMM handles, got ${vma}`);
  const page =
    faultPage === undefined ? "" : `; faultPage ${faultPage} must be what a fault callback was given`;
  const rule = "start…end must lie inside one mapping that HMM handles, and not be empty";
  throw new HmmError(EINVAL, op, `${rule}, got ${hex(start)}…${hex(end)}${page}`);
}

/**
 * migrate_device_range: collects pages [first, first + n) of device memory wherever they are mapped; free pages and
 * pages that somebody else has locked are left alone. For eviction. No lock is needed. The caller finalises it.
 *
 * Throws RangeError unless all are pages of devmem, HmmError ENOMEM.
 */
export function migrateDeviceRange(devmem: HmmDevmem, first: Page, n: number): Migration {
  const op = "migrateDeviceRange";
  if (!(devmem instanceof HmmDevmem)) throw badType(op, "devmem", "a HmmDevmem", devmem);
  const ctx = devmem.check(op);
  checkInteger(op, "first", first, devmem.pfnFirst, devmem.pfnEnd - 1);
  checkInteger(op, "n", n, 1, devmem.pfnEnd - first);
  return Migration.begin(ctx, op, ctx.run(ctx.core.migrateDeviceSetup(first, n)), null, null);
}

type MigrateCallback<P, R> = (
  vma: Vma,
  src: Uint32Array,
  dst: Uint32Array,
  start: number,
  end: number,
  priv: P,
) => R;

/** `struct migrate_vma_ops`. Neither callback runs if there is no candidate. */
export interface MigrateVmaOps<P = undefined> {
  /** Fills dst (locked pages) and copies. Must not change src. */
  allocAndCopy: MigrateCallback<P, void>;
  /** What has MIGRATE in src has moved: update the device's table. Must change neither array. */
  finalizeAndMap: MigrateCallback<P, void>;
}

/** {@link MigrateVmaOps} whose callbacks may be awaited. */
export interface MigrateVmaAsyncOps<P = undefined> {
  allocAndCopy: MigrateCallback<P, void | Promise<void>>;
  finalizeAndMap: MigrateCallback<P, void | Promise<void>>;
}

/** What {@link migrateVma} takes beside its ops. */
export interface MigrateVmaCall<P = undefined> extends MigrateVmaArgs {
  /** At least npages words; what the callbacks see. Left out: the engine's own. */
  src?: Uint32Array;
  dst?: Uint32Array;
  /** Passed to the callbacks. */
  priv?: P;
}

const FAILED = new MigrateResult(-EINVAL, 0, 0, 0, new Uint8Array(0), false);

/** One 2018 call in progress: the driver's arrays beside the engine's. */
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

  /** What the driver put in dst is the migration's from now on, whatever happens: finalising drops it. */
  take(): void {
    const { m, dst } = this;
    if (dst !== m.dst) m.dst.set(dst.length === m.npages ? dst : dst.subarray(0, m.npages));
  }

  /** Between the callbacks: pages, src out. */
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
 * migrate_vma as the HMM document has it: collect, allocAndCopy, move, finalizeAndMap, finalise, in one call. mmapSem
 * must be held. start and end are rounded down to pages. Returns a result whose `ret` is 0, or -EINVAL where nothing
 * was done (see {@link migrateVmaSetup}; ops null). Without an `owner` and `select` every kind of page is collected,
 * whoever's device it is on: that is 2018's rule. If a callback throws, everything that has not moved is put back.
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

/** {@link migrateVma} with callbacks that may take their time; mmapSem must be held until it settles. */
export async function migrateVmaAsync<P = undefined>(
  ops: MigrateVmaAsyncOps<P>,
  call: MigrateVmaCall<P>,
): Promise<MigrateResult> {
  using m = begin("migrateVmaAsync", ops, call);
  if (m === null) return FAILED;
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
  m.finalize();
  return m.result;
}

/**
 * hmm_vma_alloc_locked_page: a page of system memory for a migration's destination: locked, one reference, not zeroed.
 * Returns 0 if there is none, or vma is null or does not hold addr.
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
