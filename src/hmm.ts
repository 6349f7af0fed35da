// First, so that bundles begin with the core: gzip looks back 32 KiB, and code on both sides of it costs 1 KiB.
import { compileEmbedded, compileEmbeddedAsync, instantiate, instantiateAsync } from "./engine/wasm.ts";
import { PAGE_SIZE, PMD_SIZE } from "../assembly/uapi/page.ts";
import {
  HDR_DEVICE_BASE,
  HDR_FAIL_ALLOC,
  HDR_FAULT_AROUND,
  HDR_FLAGS,
  HDR_FLAG_SWAP,
  HDR_HUGETLB_FREE,
  HDR_ZERO_PFN,
  HEADER,
  ZONES,
} from "../assembly/abi/header.ts";
import { ZONE_FREE_PAGES } from "../assembly/abi/zone.ts";
import type { DeviceTable } from "./device/device-table.ts";
import type { HmmDevmem } from "./device/devmem.ts";
import type { HmmMirror } from "./device/mirror.ts";
import type { MmuIntervalNotifier } from "./device/notifier.ts";
import {
  allocPagesInto,
  checkPage,
  copyPages,
  pageBytes,
  pageCall,
  PfnArray,
  AddressArray,
  type Page,
} from "./device/pages.ts";
import { closeAll } from "./engine/close.ts";
import { boot, checkConfig, type HmmConfig, type HmmSettings } from "./engine/config.ts";
import { Context, contextOf } from "./engine/context.ts";
import type { CoreExports } from "./engine/core.ts";
import { dispose } from "./engine/dispose.ts";
import { badRange, badType, checkInteger, checkOptions } from "./engine/errors.ts";
import { EventLog, type HmmEventName, type HmmEvents } from "./engine/events.ts";
import type { Memory } from "./engine/memory.ts";
import { readStats, type HmmStats } from "./engine/stats.ts";
import { verify } from "./engine/verify.ts";
import type { Migration } from "./migrate/migration.ts";
import {
  openSnapshot,
  restoreObjects,
  takeSnapshot,
  type RestoreAttachments,
  type SnapshotOptions,
} from "./snapshot.ts";
import { createFile, type FileOptions, type HmmFile } from "./space/file.ts";
import { ksmScan, type KsmCounts } from "./space/ksm.ts";
import { Memcg } from "./space/memcg.ts";
import { Mm } from "./space/mm.ts";

export type { HmmCapacities, HmmConfig, HmmSettings } from "./engine/config.ts";
export type { RestoreAttachments, SnapshotOptions } from "./snapshot.ts";

/**
 * An engine: system memory, device memory, address spaces, and the protocol between them. Independent of every other
 * engine. It has no threads and no timers; everything it is lives in one WebAssembly memory.
 */
export class Hmm {
  readonly #ctx: Context;
  readonly #module: WebAssembly.Module;

  private constructor(core: CoreExports, module: WebAssembly.Module, mem: Memory, settings: HmmSettings) {
    this.#module = module;
    this.#ctx = new Context(this, core, mem, settings, new EventLog(mem));
  }

  /**
   * Makes an engine. Throws RangeError and TypeError for a bad configuration, HmmError ENOMEM if it needs more than
   * 4 GiB of linear memory or the host has not got them.
   */
  static async create(config: HmmConfig = {}): Promise<Hmm> {
    const settings = checkConfig(config);
    const module = config.module ?? (await compileEmbeddedAsync());
    return Hmm.#boot(await instantiateAsync(checkModule(module)), module, settings);
  }

  /**
   * As {@link create}, at once. The module may stand first or in the configuration; without one the package's own is
   * compiled (which browsers may refuse on the main thread for large modules).
   */
  static createSync(module: WebAssembly.Module, config?: HmmConfig): Hmm;
  static createSync(config?: HmmConfig): Hmm;
  static createSync(first: WebAssembly.Module | HmmConfig = {}, second?: HmmConfig): Hmm {
    const given = first instanceof WebAssembly.Module;
    if (!given && second !== undefined) checkModule(first);
    const config = !given ? first : second === undefined ? {} : second;
    const settings = checkConfig(config);
    const module = given ? first : (config.module ?? compileEmbedded());
    return Hmm.#boot(instantiate(checkModule(module)), module, settings);
  }

  static #boot(core: CoreExports, module: WebAssembly.Module, wanted: HmmSettings): Hmm {
    const { mem, settings } = boot(core, wanted);
    return new Hmm(core, module, mem, settings);
  }

  /** The configuration, with every default filled in. */
  get config(): HmmSettings {
    return this.#ctx.settings;
  }

  /** The compiled core, to make further engines from. */
  get module(): WebAssembly.Module {
    return this.#module;
  }

  // ── address spaces and groups ──

  /**
   * A new, empty address space, charged to a memory cgroup if one is given. The caller closes it. Throws HmmError
   * ENOMEM if none is left, TypeError for a memcg that is closed or another engine's.
   */
  createMm(options: { memcg?: Memcg } = {}): Mm {
    const op = "hmm.createMm";
    checkOptions(op, "options", options);
    const { memcg } = options;
    if (memcg !== undefined && !(memcg instanceof Memcg)) throw badType(op, "memcg", "a Memcg", memcg);
    const group = memcg === undefined ? 0 : memcg.attach(this.#ctx, op);
    return new Mm(this.#ctx, this.#ctx.finish(op, this.#ctx.core.mmCreate(group)));
  }

  /**
   * A new file, all holes. The caller closes it. Throws HmmError ENOMEM if no file or page table is left, RangeError and
   * TypeError.
   */
  createFile(options: FileOptions = {}): HmmFile {
    return createFile(this.#ctx, options);
  }

  /** The address spaces that are open, by id. */
  mms(): Mm[] {
    return [...this.#ctx.mms.values()].sort((a, b) => a.id - b.id);
  }

  /** The migrations that are open. */
  migrations(): Migration[] {
    return [...this.#ctx.migrations].sort((a, b) => a.id - b.id);
  }

  /** The device tables that are open. */
  deviceTables(): DeviceTable[] {
    return [...this.#ctx.tables.values()].sort((a, b) => a.table - b.table);
  }

  /** The devices' memories. */
  devmems(): HmmDevmem[] {
    return [...this.#ctx.devmems.values()].sort((a, b) => a.zone - b.zone);
  }

  /** The files that are not closed. */
  files(): HmmFile[] {
    return [...this.#ctx.files.values()].sort((a, b) => a.id - b.id);
  }

  /** The registered mirrors, oldest first. */
  mirrors(): HmmMirror[] {
    return [...this.#ctx.mirrors];
  }

  /** The interval notifiers, oldest first. */
  notifiers(): MmuIntervalNotifier[] {
    return [...this.#ctx.notifiers];
  }

  /** The memory cgroups that have been used. */
  memcgs(): Memcg[] {
    return [...this.#ctx.memcgs.values()];
  }

  // ── pages ──

  /**
   * A zeroed array of n words in linear memory, which the protocol's calls use without a copy. The caller closes it.
   * Throws HmmError ENOMEM if the arena has no room.
   */
  pfnArray(n: number): PfnArray {
    const op = "hmm.pfnArray";
    checkInteger(op, "n", n, 0, 2 ** 28);
    return new PfnArray(this.#ctx, this.#ctx.alloc(op, Math.max(8, 4 * n)), n);
  }

  /** As {@link pfnArray}, n addresses (f64): for `mm.translate`. */
  addressArray(n: number): AddressArray {
    const op = "hmm.addressArray";
    checkInteger(op, "n", n, 0, 2 ** 28);
    return new AddressArray(this.#ctx, this.#ctx.alloc(op, Math.max(8, 8 * n)), n);
  }

  /**
   * For every slot with a source (src: VALID and MIGRATE) and a destination (dst: VALID) copies the page; where the
   * source is a hole (MIGRATE alone) zero-fills it. Of a huge page (COMPOUND) all 512 are. Returns how many pages were
   * written.
   */
  copyPages(src: Uint32Array, dst: Uint32Array): number {
    return copyPages(this.#ctx, src, dst);
  }

  /**
   * A page of system memory for each page of src that is a candidate (VALID and MIGRATE; a hole gets none) and whose dst
   * is 0: locked, one reference, not zeroed. dst stays 0 where memory ran out. Huge pages as in devmem.allocPages. Returns
   * how many pages.
   */
  allocPages(src: Uint32Array, dst: Uint32Array): number {
    return allocPagesInto(this.#ctx, "hmm.allocPages", src, dst, 0);
  }

  /** A page of system memory: locked, one reference, not zeroed; 0 if there is none. */
  allocPage(): Page {
    return this.#ctx.core.systemAllocPage() >>> 0;
  }

  /** Takes a reference on a page that is in use. Throws RangeError for what is no page, HmmError EINVAL for a free one. */
  pageGet(page: Page): void {
    const op = "hmm.pageGet";
    pageCall(this.#ctx, op, page, "in use", (ctx) => ctx.core.pageGet(page));
  }

  /** Drops a reference; the last one frees the page. */
  pagePut(page: Page): void {
    const op = "hmm.pagePut";
    pageCall(this.#ctx, op, page, "in use with a reference of yours", (ctx) => ctx.core.pagePut(page));
  }

  /** trylock_page: true if the page is locked now, false if it was already. */
  pageLock(page: Page): boolean {
    const op = "hmm.pageLock";
    return pageCall(this.#ctx, op, page, "in use", (ctx) => ctx.core.pageTryLock(page)) !== 0;
  }

  /** unlock_page. */
  pageUnlock(page: Page): void {
    const op = "hmm.pageUnlock";
    pageCall(this.#ctx, op, page, "in use that is locked", (ctx) => ctx.core.pageUnlock(page));
  }

  /**
   * folio_isolate_lru: takes a page of system memory off the list of pages that reclaim and migrations look at, and a
   * reference, as who moves or compacts pages by himself does. False if it is not there: somebody has isolated it, or it
   * never was (device memory, hugetlb, a driver's own page). Until {@link pagePutback} nobody migrates it (NOT_ISOLATED),
   * pages it out or collapses it; CPUs and devices reach it as before. Throws RangeError for what is no page, HmmError
   * EINVAL for a free one.
   */
  pageIsolate(page: Page): boolean {
    const op = "hmm.pageIsolate";
    return pageCall(this.#ctx, op, page, "in use", (ctx) => ctx.core.pageIsolate(page)) !== 0;
  }

  /** folio_putback_lru: ends {@link pageIsolate}. Throws as it, and HmmError EINVAL for a page that is not isolated. */
  pagePutback(page: Page): void {
    const op = "hmm.pagePutback";
    pageCall(this.#ctx, op, page, "in use that you have isolated", (ctx) => ctx.core.pagePutback(page));
  }

  /**
   * Runs `body` with the page's 4096 bytes, live; they must not be kept. Returns what it returns. Throws HmmError
   * EOPNOTSUPP with backing "metadata".
   */
  pageBytes<T>(page: Page, body: (bytes: Uint8Array) => T): T {
    return pageBytes(this.#ctx, page, body);
  }

  /** Where a page is: null system memory, else its devmem. Throws RangeError for what is no page. */
  pageDevmem(page: Page): HmmDevmem | null {
    const op = "hmm.pageDevmem";
    const zone = pageCall(this.#ctx, op, page, "of some memory", (ctx) => ctx.core.pageZone(page));
    return this.#ctx.devmems.get(zone) ?? null;
  }

  /** Whether a page is device memory. Throws RangeError for what is no page. */
  isDevicePage(page: Page): boolean {
    return checkPage(this.#ctx, "hmm.isDevicePage", page) >= this.#ctx.mem.header(HDR_DEVICE_BASE);
  }

  /** The page of zeros that untouched anonymous memory reads as. */
  get zeroPage(): Page {
    return this.#ctx.mem.header(HDR_ZERO_PFN);
  }

  /** Pages of system memory that are free. */
  get freePages(): number {
    return this.#ctx.mem.u32(HEADER + ZONES + ZONE_FREE_PAGES);
  }

  /** hugetlb pages (2 MiB each) that nobody uses: HugePages_Free. */
  get freeHugetlbPages(): number {
    return this.#ctx.mem.header(HDR_HUGETLB_FREE);
  }

  /**
   * The n-th allocation inside the core from now on fails, once: a frame, a table, an object or an array. 0 stops that.
   * For tests of a driver's failure paths.
   */
  failAllocation(n: number): void {
    this.#ctx.mem.setHeader(HDR_FAIL_ALLOC, checkInteger("hmm.failAllocation", "n", n, 0, 0xffffffff));
  }

  /**
   * Bytes around a read fault of a file's mapping whose pages are mapped with it, if the file has them: a power of two
   * from 4096 (off) to 2 MiB. Default 64 KiB.
   */
  get faultAround(): number {
    return this.#ctx.mem.header(HDR_FAULT_AROUND) * PAGE_SIZE;
  }

  set faultAround(bytes: number) {
    checkInteger("hmm.faultAround", "bytes", bytes, PAGE_SIZE, PMD_SIZE);
    if ((bytes & (bytes - 1)) !== 0) throw badRange("hmm.faultAround", "bytes", "a power of two", bytes);
    this.#ctx.mem.setHeader(HDR_FAULT_AROUND, bytes / PAGE_SIZE);
  }

  /**
   * Whether pages may be paged out: swapon and swapoff of the swap space that the engine was made with. What is swapped
   * out stays there and comes back on access. Throws RangeError where there is no swap space.
   */
  get swapOn(): boolean {
    return (this.#ctx.mem.header(HDR_FLAGS) & HDR_FLAG_SWAP) !== 0;
  }

  set swapOn(on: boolean) {
    if (typeof on !== "boolean") throw badType("hmm.swapOn", "on", "a boolean", on);
    const { mem, settings } = this.#ctx;
    if (on && settings.swap === 0)
      throw badRange("hmm.swapOn", "on", "false: the engine was made without swap space", on);
    const flags = mem.header(HDR_FLAGS);
    mem.setHeader(HDR_FLAGS, on ? flags | HDR_FLAG_SWAP : flags & ~HDR_FLAG_SWAP);
  }

  /**
   * ksmd: `passes` times looks at every page of the mappings that MADV_MERGEABLE has marked, and merges those that are
   * alike into one read-only page; mirrors are told of each. A page is merged in the second pass that finds it unchanged,
   * at the earliest. Pinned pages, and pages on a device, are left alone. Returns what is merged now.
   *
   * Throws RangeError; HmmError ENOMEM (nested operations), EOPNOTSUPP with backing "metadata", EDEADLK where a mmapSem is
   * held for write, or from a notifier's callback.
   */
  ksmScan(passes = 1): KsmCounts {
    return ksmScan(this.#ctx, passes);
  }

  // ── watching ──

  /**
   * Calls `listener` for each event of this name, at the end of the API call in which it happened. Returns the
   * function that ends it. Events cost nothing while nobody listens.
   */
  on<N extends HmmEventName>(name: N, listener: (event: HmmEvents[N]) => void): () => void {
    return this.#ctx.log.on(name, listener);
  }

  /** Counters since boot. */
  get stats(): HmmStats {
    return readStats(this.#ctx.mem);
  }

  /**
   * Checks every invariant. Throws HmmError EINVARIANT: the first broken one, and what surrounds it;
   * TypeError inside a driver's callback, where an operation is half done.
   */
  verify(): void {
    verify(this.#ctx);
  }

  /**
   * Closes what is open: migrations, address spaces (their mirrors are released), device tables, files, arrays, devmems
   * and groups. Not needed to give the memory back, which goes with the last reference to the engine. Throws what closing
   * them throws, after all were tried (pinned device pages keep a devmem).
   */
  close(): void {
    this.#ctx.demandOutermost("hmm.close");
    closeAll(this.#ctx);
  }

  [dispose](): void {
    this.close();
  }

  // ── snapshots ──

  /**
   * The whole state as bytes: the same calls make the same bytes. Throws TypeError inside a driver's callback. What
   * lives in JavaScript is not in it: callbacks, held locks, pins, lent pages, pfn arrays, 2018 snapshots in progress.
   *
   * The bytes are a new array, or the first ones of `options.into`: who takes many snapshots saves the time in which new
   * memory is made, which is most of it. How long a snapshot is depends on the sizes that the engine was made with and, by a
   * few bytes for each, on the objects that it has; the RangeError for an `into` that is too short tells the length.
   */
  snapshot(options: SnapshotOptions = {}): Uint8Array {
    return takeSnapshot(this.#ctx, options);
  }

  /**
   * An engine that goes on from a snapshot. `attach` gives each mirror, notifier and devmem, named by its stable id,
   * its callbacks again; what is missing is a RangeError that names it. Open migrations, address spaces and device
   * tables are found by `migrations()`, `mms()` and `deviceTables()`.
   */
  static restore(bytes: Uint8Array, attach: RestoreAttachments = {}): Hmm {
    checkOptions("Hmm.restore", "attach", attach);
    const given = attach.module === undefined ? compileEmbedded() : attach.module;
    const module = checkModule(given, "Hmm.restore");
    const core = instantiate(module);
    const { mem, header } = openSnapshot(core, bytes, attach);
    const hmm = new Hmm(core, module, mem, header.settings);
    restoreObjects(contextOf("Hmm.restore", hmm), header, attach);
    return hmm;
  }
}

function checkModule(module: unknown, op = "Hmm.create"): WebAssembly.Module {
  if (!(module instanceof WebAssembly.Module)) throw badType(op, "module", "a WebAssembly.Module", module);
  return module;
}
