import { EBUSY } from "../../assembly/uapi/errno.ts";
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
import type { Context } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import { HmmError } from "../engine/errors.ts";
import type { Forward } from "../engine/forward.ts";
import { inspect, line } from "../engine/inspect.ts";
import type { AccessFlags, VmFault } from "../engine/protocol.ts";
import { evictPages } from "../migrate/evict.ts";
import { allocPagesInto } from "../page/pages.ts";
import type { Page } from "../page/words.ts";
import type { Vma } from "../space/vma.ts";

/** Up to this number, freed pages are taken one by one. */
const FREED_FEW = 4;
/** Pages that are evicted at a time. */
const EVICT_PAGES = 512;

/** The callbacks of a device's memory (`struct hmm_devmem_ops`, today `dev_pagemap_ops`). */
export interface HmmDevmemOps {
  /**
   * The last reference on the page is gone, and the engine may allocate it again. Called at the end of the
   * API call that dropped the reference. What it throws is thrown by that call.
   */
  free?(devmem: HmmDevmem, page: Page): void;
  /**
   * A CPU, or another device, touched `address`, whose page is in this device's memory. Migrate the page to
   * system memory, and neighbors if you like: migrateVma and migrateVmaSetup know the faulting page. mmapSem
   * is held for read. Answer 0 or VM_FAULT_* bits; what it throws is SIGBUS, with the exception as the
   * error's cause.
   * @param flags ACCESS_* bits of the access
   * @param order how much the faulting entry maps: 0, the page alone; 9, the aligned 2 MiB around it, a huge
   * page that MIGRATE_VMA_SELECT_COMPOUND brings back as one (never under the rules of Linux 6.12). Migrating
   * less splits the huge page. A page of a huge page that has entries of its own may stay: the first fault
   * splits the huge page, and if the callback answers 0, the next fault moves the page.
   */
  fault(
    devmem: HmmDevmem,
    vma: Vma,
    address: number,
    page: Page,
    flags: AccessFlags,
    order: number,
  ): VmFault | void;
  /**
   * As `fault`, for `mm.readAsync` and the like, which prefer it. mmapSem is held for read until the promise
   * settles.
   */
  faultAsync?(
    devmem: HmmDevmem,
    vma: Vma,
    address: number,
    page: Page,
    flags: AccessFlags,
    order: number,
  ): Promise<VmFault | void>;
}

/**
 * A device's memory (`struct hmm_devmem`): pages [pfnFirst, pfnEnd), which no CPU may map unless the memory
 * is coherent. Made by hmmDevmemAdd; hmmDevmemRemove ends it. Methods throw TypeError once it
 * is removed.
 */
export class HmmDevmem {
  /** The engine that it belongs to. */
  readonly hmm: Forward["Hmm"];
  readonly ops: HmmDevmemOps;
  /** The owner: events and ranges that name it are this device's own. */
  readonly owner: unknown;
  /** The stable name that snapshots use. */
  readonly id: string;
  /** The first page frame number. */
  readonly pfnFirst: Page;
  /** The end, exclusive. */
  readonly pfnEnd: Page;
  /** Whether CPUs map its pages and access them directly (MEMORY_DEVICE_COHERENT). */
  readonly coherent: boolean;
  /** @internal The core's number of the memory. */
  readonly zone: number;
  /** @internal The core's number of the owner. */
  readonly ownerNumber: number;
  readonly #ctx: Context;
  #removed = false;

  private constructor(ctx: Context, zone: number, ops: HmmDevmemOps, owner: unknown, id: string) {
    this.hmm = ctx.hmm;
    this.#ctx = ctx;
    this.zone = zone;
    this.ops = ops;
    this.owner = owner;
    this.id = id;
    this.pfnFirst = ctx.mem.u32(this.#field(ZONE_PFN_FIRST));
    this.pfnEnd = ctx.mem.u32(this.#field(ZONE_PFN_END));
    this.ownerNumber = ctx.mem.u32(this.#field(ZONE_OWNER));
    this.coherent = (ctx.mem.u32(this.#field(ZONE_FLAGS)) & ZONE_FLAG_COHERENT) !== 0;
    ctx.listDevmem(this, true);
  }

  /** @internal The memory that the core has under this zone, which is new. */
  static open(ctx: Context, zone: number, ops: HmmDevmemOps, owner: unknown, id: string): HmmDevmem {
    return new HmmDevmem(ctx, zone, ops, owner, id);
  }

  /** @deprecated Read `owner`. */
  get device(): unknown {
    return this.owner;
  }

  /** How many pages it has. */
  get npages(): number {
    return this.pfnEnd - this.pfnFirst;
  }

  /** How many pages can be allocated now. */
  get freePages(): number {
    return this.#removed ? 0 : this.#ctx.mem.u32(this.#field(ZONE_FREE_PAGES));
  }

  /** How many pages are in use, including freed pages that `free` was not yet called for. */
  get usedPages(): number {
    return this.#removed ? 0 : this.npages - this.freePages;
  }

  /** Whether it is removed. */
  get removed(): boolean {
    return this.#removed;
  }

  /**
   * Allocates a page for a migration's destination: locked, with one reference, not zeroed. Returns 0 when
   * none is left. The page belongs to the migration once it stands in dst; until then the caller returns it
   * with pageUnlock and pagePut.
   */
  allocPage(): Page {
    this.check("devmem.allocPage");
    this.deliverFreed();
    return this.#ctx.core.devmemAllocPage(this.zone) >>> 0;
  }

  /**
   * Allocates a page, as {@link allocPage} does, for each candidate of src (MIGRATE set) whose dst is 0:
   * dst[i] = VALID | pfn, or still 0 where memory ran out. A huge page (COMPOUND) gets a large folio, dst[i]
   * = VALID | COMPOUND | its first pfn, or, where no aligned 2 MiB is free, 512 pages in the slots from i on.
   * Returns how many pages it allocated. Throws TypeError, and RangeError if dst is shorter than src.
   */
  allocPages(src: Uint32Array, dst: Uint32Array): number {
    const op = "devmem.allocPages";
    const ctx = this.check(op);
    this.deliverFreed();
    return allocPagesInto(ctx, op, src, dst, this.zone);
  }

  /**
   * Removes the memory, as hmmDevmemRemove does, but throws HmmError EBUSY if pages are still in use.
   */
  close(): void {
    const inUse = this.remove("hmmDevmemRemove");
    if (inUse > 0) throw new HmmError(EBUSY, "devmem.close", `${inUse} pages are still in use`);
  }

  [dispose](): void {
    this.close();
  }

  /** @internal */
  [inspect](): string {
    return line(`HmmDevmem "${this.id}"`, this.#removed && "removed", () => [
      `pages ${this.pfnFirst}-${this.pfnEnd}`,
      `${this.usedPages} of ${this.npages} used`,
      this.coherent && "coherent",
    ]);
  }

  // ── for the other classes: see DeviceMemory ──

  /** @internal */
  get faultsAsync(): boolean {
    return this.ops.faultAsync !== undefined;
  }

  /** @internal */
  fault(vma: Vma, address: number, page: Page, flags: AccessFlags, order: number): unknown {
    return this.ops.fault(this, vma, address, page, flags, order);
  }

  /** @internal */
  faultAsync(vma: Vma, address: number, page: Page, flags: AccessFlags, order: number): unknown {
    return this.ops.faultAsync!(this, vma, address, page, flags, order);
  }

  /** @internal */
  evict(first: Page, n: number): number {
    return evictPages(this.check("migrateDeviceRange"), "migrateDeviceRange", first, n);
  }

  /**
   * @internal Reports freed pages to the driver, oldest first; the engine may allocate them again from then
   * on.
   */
  deliverFreed(): void {
    const ctx = this.#ctx;
    for (;;) {
      const freed = ctx.mem.u32(this.#field(ZONE_FREED_COUNT));
      if (freed === 0 || this.#removed) return;
      if (freed > FREED_FEW) this.#deliverMany(Math.min(freed, XBUF_SIZE / 4));
      else this.#deliverOne();
    }
  }

  /** Reports one page without making an array: the usual case after a fault. */
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

  /** @internal Returns the context. Throws TypeError, naming the operation `op`, if the memory is removed. */
  check(op: string): Context {
    if (this.#removed) throw new TypeError(`${op}: the devmem was removed`);
    return this.#ctx;
  }

  /**
   * @internal hmmDevmemRemove: evicts what it can. Returns how many pages are still in use; 0: it is removed.
   */
  remove(op: string): number {
    const ctx = this.check(op);
    ctx.demandOutermost(op);
    this.deliverFreed();
    let inUse = ctx.finish(op, ctx.core.devmemRemove(this.zone));
    if (inUse > 0) {
      for (let first = this.pfnFirst; first < this.pfnEnd; first += EVICT_PAGES)
        this.evict(first, Math.min(EVICT_PAGES, this.pfnEnd - first));
      this.deliverFreed();
      inUse = ctx.finish(op, ctx.core.devmemRemove(this.zone));
    }
    if (inUse === 0) {
      this.#removed = true;
      ctx.listDevmem(this, false);
    }
    return inUse;
  }

  #field(offset: number): number {
    return HEADER + ZONES + this.zone * ZONE_SIZE + offset;
  }
}
