import { EBUSY } from "../../assembly/uapi/errno.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { XBUF_SIZE } from "../../assembly/abi/argument.ts";
import { HDR_XBUF, HEADER, ZONES } from "../../assembly/abi/header.ts";
import {
  ZONE_FLAGS,
  ZONE_FLAG_COHERENT,
  ZONE_FREED_COUNT,
  ZONE_FREE_PAGES,
  ZONE_OWNER,
  ZONE_PFN_END,
  ZONE_PFN_FIRST,
  ZONE_SIZE,
} from "../../assembly/abi/zone.ts";
import { contextOf, type Context } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import {
  badType,
  checkFlag,
  checkInteger,
  checkMethod,
  checkOptions,
  checkText,
  HmmError,
} from "../engine/errors.ts";
import type { VmFault } from "../engine/request.ts";
import type { Hmm } from "../hmm.ts";
import { migrateDeviceRange } from "../migrate/migrate.ts";
import type { Vma } from "../space/vma.ts";
import { allocPagesInto, type Page } from "./pages.ts";

/** Freed pages up to which they are taken one by one. */
const FREED_FEW = 4;

/** `struct hmm_devmem_ops`, the modern `dev_pagemap_ops`. */
export interface HmmDevmemOps {
  /** The last user of the page is gone; the engine hands it out again from now on. Runs after the API call's work. */
  free?(devmem: HmmDevmem, page: Page): void;
  /**
   * A CPU (or another device) touched `address`, whose page is in this device's memory. Migrate it to system memory
   * (and neighbours, if you like): migrateVma and migrateVmaSetup know the faulting page by themselves. mmapSem is
   * held for read. Answer 0, or VM_FAULT_* bits; what it throws is SIGBUS, with the exception as the error's cause.
   * @param flags ACCESS_* of the access
   * @param order how much the faulting entry maps: 0, the page alone; 9, the aligned 2 MiB around it, a huge page that
   * MIGRATE_VMA_SELECT_COMPOUND brings back as one. Migrating less splits it.
   */
  fault(
    devmem: HmmDevmem,
    vma: Vma,
    address: number,
    page: Page,
    flags: number,
    order: number,
  ): VmFault | void;
  /** The same for `mm.readAsync` and its like, which prefer it. mmapSem is held for read until it settles. */
  faultAsync?(
    devmem: HmmDevmem,
    vma: Vma,
    address: number,
    page: Page,
    flags: number,
    order: number,
  ): Promise<VmFault | void>;
}

/**
 * A device's memory (`struct hmm_devmem`): pages [pfnFirst, pfnEnd), which no CPU may map unless it is coherent. Made by
 * {@link hmmDevmemAdd}; {@link hmmDevmemRemove} takes it away.
 */
export class HmmDevmem {
  readonly hmm: Hmm;
  readonly ops: HmmDevmemOps;
  /** The owner: events and ranges that name it are this device's own. */
  readonly device: unknown;
  /** Names it in snapshots. */
  readonly id: string;
  /** First page frame number. */
  readonly pfnFirst: Page;
  /** End, exclusive. */
  readonly pfnEnd: Page;
  /** Whether CPUs map its pages and reach them directly (MEMORY_DEVICE_COHERENT). */
  readonly coherent: boolean;
  /** @internal */
  readonly zone: number;
  /** @internal */
  readonly ownerNumber: number;
  readonly #ctx: Context;
  #removed = false;

  /** @internal */
  constructor(ctx: Context, zone: number, ops: HmmDevmemOps, device: unknown, id: string) {
    this.hmm = ctx.hmm;
    this.#ctx = ctx;
    this.zone = zone;
    this.ops = ops;
    this.device = device;
    this.id = id;
    this.pfnFirst = ctx.mem.u32(this.#field(ZONE_PFN_FIRST));
    this.pfnEnd = ctx.mem.u32(this.#field(ZONE_PFN_END));
    this.ownerNumber = ctx.mem.u32(this.#field(ZONE_OWNER));
    this.coherent = (ctx.mem.u32(this.#field(ZONE_FLAGS)) & ZONE_FLAG_COHERENT) !== 0;
    ctx.listDevmem(this, true);
  }

  /** Pages in all. */
  get npages(): number {
    return this.pfnEnd - this.pfnFirst;
  }

  /** Pages that can be allocated now. */
  get freePages(): number {
    return this.#removed ? 0 : this.#ctx.mem.u32(this.#field(ZONE_FREE_PAGES));
  }

  /** Pages in use, those included whose `free` is still to be called. */
  get usedPages(): number {
    return this.#removed ? 0 : this.npages - this.freePages;
  }

  get removed(): boolean {
    return this.#removed;
  }

  /**
   * A page for a migration's destination: locked, one reference, not zeroed. Returns 0 when none is left. It belongs
   * to the migration as soon as it stands in dst; until then put it back with pageUnlock and pagePut.
   */
  allocPage(): Page {
    this.check("devmem.allocPage");
    this.deliverFreed();
    return this.#ctx.core.devmemAllocPage(this.zone) >>> 0;
  }

  /**
   * A page for each candidate of src (MIGRATE set) whose dst is 0, as {@link allocPage}: dst[i] = VALID | pfn. It stays
   * 0 where memory ran out. A huge page (COMPOUND) gets a large folio, dst[i] = VALID | COMPOUND | its first pfn, or, where
   * no aligned 2 MiB is free, 512 pages in the slots from i on. Returns how many pages.
   */
  allocPages(src: Uint32Array, dst: Uint32Array): number {
    const op = "devmem.allocPages";
    const ctx = this.check(op);
    this.deliverFreed();
    return allocPagesInto(ctx, op, src, dst, this.zone);
  }

  /** As {@link hmmDevmemRemove}, but throws HmmError EBUSY if pages are still in use. */
  close(): void {
    const { stillInUse } = hmmDevmemRemove(this);
    if (stillInUse > 0) throw new HmmError(EBUSY, "devmem.close", `${stillInUse} pages are still in use`);
  }

  [dispose](): void {
    this.close();
  }

  /** @internal Reports freed pages to the driver, oldest first; they can be allocated again from then on. */
  deliverFreed(): void {
    const ctx = this.#ctx;
    for (;;) {
      const freed = ctx.mem.u32(this.#field(ZONE_FREED_COUNT));
      if (freed === 0 || this.#removed) return;
      if (freed > FREED_FEW) this.#deliverMany(Math.min(freed, XBUF_SIZE / 4));
      else this.#deliverOne();
    }
  }

  /** One page: the usual case after a fault, without arrays. */
  #deliverOne(): void {
    const { core, mem } = this.#ctx;
    const address = mem.header(HDR_XBUF);
    const kept = mem.u32(address);
    core.devmemTakeFreed(this.zone, 1);
    const page = mem.u32(address);
    mem.setU32(address, kept);
    this.#free(page);
  }

  #deliverMany(n: number): void {
    const ctx = this.#ctx;
    const { address, restore } = ctx.exchange(4 * n);
    const taken = ctx.core.devmemTakeFreed(this.zone, n);
    const told = this.ops.free !== undefined;
    const pages = told ? ctx.mem.words.slice(address >>> 2, (address >>> 2) + taken) : null;
    restore();
    if (pages !== null) for (const page of pages) this.#free(page);
  }

  #free(page: Page): void {
    const ctx = this.#ctx;
    ctx.depth++;
    try {
      this.ops.free?.(this, page);
    } catch (error) {
      ctx.keep(error);
    }
    ctx.depth--;
  }

  /** @internal */
  check(op: string): Context {
    if (this.#removed) throw new TypeError(`${op}: the devmem was removed`);
    return this.#ctx;
  }

  /** @internal */
  gone(): void {
    this.#removed = true;
    this.#ctx.listDevmem(this, false);
  }

  #field(offset: number): number {
    return HEADER + ZONES + this.zone * ZONE_SIZE + offset;
  }
}

/**
 * hmm_devmem_add: takes `size` bytes of the engine's device memory (rounded up to 2 MiB blocks) for a device.
 * @param device the owner: any value; devmems with equal values are one owner's. Also what hmmRangeFault and
 * migrateVmaSetup take as `owner`
 * @param options.coherent CPUs map its pages and reach them directly: accesses do not fault, and `fault` is never called.
 * False by default: device-private memory
 * @param options.id a stable name for Hmm.restore; "devmem1", "devmem2", … by default
 *
 * Throws RangeError and TypeError for bad arguments, HmmError ENOMEM if that much is not left, or no devmem (15).
 */
export function hmmDevmemAdd(
  hmm: Hmm,
  ops: HmmDevmemOps,
  device: unknown,
  size: number,
  options: { id?: string; coherent?: boolean } = {},
): HmmDevmem {
  const op = "hmmDevmemAdd";
  const ctx = contextOf(op, hmm);
  checkMethod(op, "ops", ops, "fault");
  checkMethod(op, "ops", ops, "free", true);
  checkMethod(op, "ops", ops, "faultAsync", true);
  if (device === null || device === undefined)
    throw badType(op, "device", "a value that is not null", device);
  checkInteger(op, "size", size, PAGE_SIZE, 2 ** 39);
  checkOptions(op, "options", options);
  checkText(op, "options.id", options.id);
  const { coherent = false } = options;
  const kind = checkFlag(op, "options.coherent", coherent) ? 1 : 0;
  const zone = ctx.finish(op, ctx.core.devmemAdd(size, ctx.owners.number(device), kind));
  return new HmmDevmem(ctx, zone, ops, device, options.id ?? `devmem${++ctx.ids.devmem}`);
}

/** What {@link hmmDevmemRemove} could not do. */
export interface DevmemRemoveReport {
  /** Pages that could not be brought back to system memory; 0: the devmem is gone. */
  stillInUse: number;
}

/**
 * hmm_devmem_remove: no page is handed out any more; what the device's memory holds is migrated back to system memory,
 * in every address space; then the memory is given back. Pages that cannot move (no system memory, extra references,
 * an open migration) keep the devmem alive: the report says how many, and the call may be repeated. null is tolerated.
 */
export function hmmDevmemRemove(devmem: HmmDevmem | null): DevmemRemoveReport {
  const op = "hmmDevmemRemove";
  if (devmem === null) return { stillInUse: 0 };
  if (!(devmem instanceof HmmDevmem)) throw badType(op, "devmem", "a HmmDevmem", devmem);
  const ctx = devmem.check(op);
  ctx.demandOutermost(op);
  devmem.deliverFreed();
  let inUse = ctx.finish(op, ctx.core.devmemRemove(devmem.zone));
  if (inUse > 0) {
    evict(ctx, devmem);
    devmem.deliverFreed();
    inUse = ctx.finish(op, ctx.core.devmemRemove(devmem.zone));
  }
  if (inUse === 0) devmem.gone();
  return { stillInUse: inUse };
}

const EVICT_PAGES = 512;

/** Migrates what it can of the device's pages to system memory, a piece at a time. */
function evict(ctx: Context, devmem: HmmDevmem): void {
  for (let first = devmem.pfnFirst; first < devmem.pfnEnd; first += EVICT_PAGES)
    evictPages(ctx, devmem, first, Math.min(EVICT_PAGES, devmem.pfnEnd - first));
}

/** @internal Migrates what it can of n of the device's pages to system memory, wherever they are mapped. How many. */
export function evictPages(ctx: Context, devmem: HmmDevmem, first: Page, n: number): number {
  const migration = migrateDeviceRange(devmem, first, n);
  try {
    if (migration.cpages === 0) return 0;
    const { src, dst, npages } = migration;
    ctx.core.systemAllocPages(src.byteOffset, dst.byteOffset, npages);
    ctx.core.copyPages(src.byteOffset, dst.byteOffset, npages);
    return migration.pages();
  } finally {
    migration.finalize();
  }
}
