// First, so that bundles begin with the core: gzip looks back 32 KiB, and code on both sides of it costs 1
// KiB.
import {
  checkModule,
  compile,
  compileAsync,
  compileEmbedded,
  compileEmbeddedAsync,
  instantiate,
  instantiateAsync,
} from "./engine/wasm.ts";
import { HDR_DEVICE_BASE, HDR_HUGETLB_FREE, HDR_ZERO_PFN, HEADER, ZONES } from "../assembly/abi/header.ts";
import { ZONE_FREE_PAGES, ZONE_TABLES } from "../assembly/abi/zone.ts";
import { PAGE_SIZE } from "../assembly/uapi/page.ts";
import type { DeviceTable } from "./device/device-table.ts";
import type { HmmDevmem } from "./device/devmem.ts";
import type { HmmMirror } from "./device/mirror.ts";
import type { MmuIntervalNotifier } from "./device/notifier.ts";
import { closeAll } from "./engine/close.ts";
import { boot, checkConfig, type HmmConfig, type HmmSettings } from "./engine/config.ts";
import { Context, contextOf } from "./engine/context.ts";
import type { CoreExports } from "./engine/core.ts";
import { describeAddress, type AddressDescription } from "./engine/describe.ts";
import { dispose } from "./engine/dispose.ts";
import { badRange, checkOptions } from "./engine/errors.ts";
import { EventLog, type HmmEventName, type HmmEvents } from "./engine/events.ts";
import { count, inspect, line } from "./engine/inspect.ts";
import type { WasmModule, WasmSource } from "./engine/host.ts";
import * as knobs from "./engine/knobs.ts";
import type { HugepageMode } from "./engine/protocol.ts";
import type { Memory } from "./engine/memory.ts";
import { readStats, type HmmStats } from "./engine/stats.ts";
import { verify } from "./engine/verify.ts";
import type { Migration } from "./migrate/migration.ts";
import { AddressArray, PfnArray } from "./page/arrays.ts";
import { allocPagesInto, checkPage, copyPages, pageBytes, pageCall } from "./page/pages.ts";
import type { Page } from "./page/words.ts";
import {
  openSnapshot,
  restoreObjects,
  takeSnapshot,
  type RestoreAttachments,
  type SnapshotOptions,
} from "./snapshot.ts";
import { HmmFile, type FileOptions } from "./space/file.ts";
import { ksmScan, type KsmCounts } from "./space/ksm.ts";
import { attachMemcg, type Memcg } from "./space/memcg.ts";
import { Mm } from "./space/mm.ts";

declare module "./engine/forward.ts" {
  interface Forward {
    Hmm: Hmm;
  }
}

/**
 * An engine: system memory, device memory, address spaces, and the protocol between them. It is independent
 * of every other engine, has no threads and no timers, and keeps all of its state in one WebAssembly memory.
 */
export class Hmm {
  readonly #ctx: Context;
  readonly #module: WasmModule;

  private constructor(core: CoreExports, module: WasmModule, mem: Memory, settings: HmmSettings) {
    this.#module = module;
    this.#ctx = new Context(this, core, mem, settings, new EventLog(mem));
  }

  /** @internal The engine over a core that has been booted. */
  static over(core: CoreExports, module: WasmModule, mem: Memory, settings: HmmSettings): Hmm {
    return new Hmm(core, module, mem, settings);
  }

  /**
   * Makes an engine. The caller may close it, or just drop it. Throws RangeError and TypeError for a bad
   * configuration, and for a config.wasm that cannot be loaded or is another module; HmmError ENOMEM if it
   * needs more than 4 GiB of linear memory or the host does not have that much.
   */
  static async create(config: HmmConfig = {}): Promise<Hmm> {
    const settings = checkConfig(config);
    const [name, source] = sourceOf(config);
    const module =
      source === undefined ? await compileEmbeddedAsync() : await compileAsync("Hmm.create", name, source);
    return Hmm.#boot(await instantiateAsync(module), module, settings);
  }

  /**
   * Makes an engine as {@link create} does, synchronously. The module may be the first argument or in the
   * configuration; by default the package's own is compiled (browsers may refuse to compile large modules on
   * the main thread).
   */
  static createSync(module: WasmModule, config?: HmmConfig): Hmm;
  static createSync(config?: HmmConfig): Hmm;
  static createSync(first: WasmModule | HmmConfig = {}, second?: HmmConfig): Hmm {
    const op = "Hmm.createSync";
    const given = first instanceof WebAssembly.Module;
    if (!given && second !== undefined) checkModule(first, op);
    const config = !given ? first : second === undefined ? {} : second;
    const settings = checkConfig(config);
    if (given && config.wasm !== undefined)
      throw badRange(op, "wasm", "left out where a module is given", config.wasm);
    const [name, source] = given ? (["module", first] as const) : sourceOf(config);
    const module = source === undefined ? compileEmbedded() : compile(op, name, source);
    return Hmm.#boot(instantiate(module), module, settings);
  }

  static #boot(core: CoreExports, module: WasmModule, wanted: HmmSettings): Hmm {
    const { mem, settings } = boot(core, wanted);
    return new Hmm(core, module, mem, settings);
  }

  /** The configuration, with every default filled in. */
  get config(): HmmSettings {
    return this.#ctx.settings;
  }

  /** The compiled core, to make more engines from. */
  get module(): WasmModule {
    return this.#module;
  }

  // ── address spaces, files and groups ──

  /**
   * Makes an empty address space, charged to a memory cgroup if one is given. The caller closes it. Throws
   * HmmError ENOMEM if none is left, TypeError for a memcg that is closed or belongs to another engine.
   */
  createMm(options: { memcg?: Memcg | undefined } = {}): Mm {
    const op = "hmm.createMm";
    checkOptions(op, "options", options);
    const ctx = this.#ctx;
    const group = attachMemcg(ctx, op, "memcg", options.memcg);
    return Mm.open(ctx, ctx.finish(op, ctx.core.mmCreate(group)));
  }

  /**
   * Makes a file that consists of holes. The caller closes it. Throws HmmError ENOMEM if no file or page
   * table is left, RangeError and TypeError.
   */
  createFile(options: FileOptions = {}): HmmFile {
    return HmmFile.create(this.#ctx, options);
  }

  /** Returns the open address spaces, by id. */
  mms(): Mm[] {
    return byId(this.#ctx.mms.values() as Iterable<Mm>);
  }

  /** Returns the open migrations, by id. */
  migrations(): Migration[] {
    return byId(this.#ctx.migrations as unknown as Iterable<Migration>);
  }

  /** Returns the open device tables, in the order in which they were made. */
  deviceTables(): DeviceTable[] {
    return byId(this.#ctx.deviceTables.values() as Iterable<DeviceTable>);
  }

  /** Returns the devices' memories, by their place in device memory. */
  devmems(): HmmDevmem[] {
    const devmems = [...(this.#ctx.devmems.values() as Iterable<HmmDevmem>)];
    return devmems.sort((a, b) => a.zone - b.zone);
  }

  /** Returns the files that are not closed, by id. */
  files(): HmmFile[] {
    return byId(this.#ctx.files.values() as Iterable<HmmFile>);
  }

  /** Returns the registered mirrors, oldest first. */
  mirrors(): HmmMirror[] {
    return [...this.#ctx.mirrors] as HmmMirror[];
  }

  /** Returns the open interval notifiers, oldest first. */
  notifiers(): MmuIntervalNotifier[] {
    return [...this.#ctx.notifiers] as MmuIntervalNotifier[];
  }

  /** Returns the memory cgroups that belong to this engine. */
  memcgs(): Memcg[] {
    return [...this.#ctx.memcgs.values()] as Memcg[];
  }

  // ── pages ──

  /**
   * Makes a zeroed array of n words in linear memory, which the protocol's calls use without a copy. The
   * caller closes it. Throws HmmError ENOMEM if the arena has no room, RangeError and TypeError.
   */
  pfnArray(n: number): PfnArray {
    return PfnArray.allocate(this.#ctx, n);
  }

  /** Makes a zeroed array of n addresses for `mm.translate`, as {@link pfnArray} makes words. */
  addressArray(n: number): AddressArray {
    return AddressArray.allocate(this.#ctx, n);
  }

  /**
   * Copies the page of each slot that has a source (src: VALID and MIGRATE) and a destination (dst: VALID),
   * and zero-fills the destination of a hole (src: MIGRATE alone). A huge page (COMPOUND) is copied as a
   * whole. Returns how many pages it wrote. Throws HmmError EINVAL if a slot names no page in use, RangeError
   * if dst is shorter than src, TypeError.
   */
  copyPages(src: Uint32Array, dst: Uint32Array): number {
    return copyPages(this.#ctx, src, dst);
  }

  /**
   * Allocates a page of system memory for each page of src that is a candidate (VALID and MIGRATE; a hole
   * gets none) and whose dst is 0: locked, with one reference, not zeroed. dst stays 0 where memory ran out.
   * Huge pages as in devmem.allocPages. Returns how many pages it allocated. Throws RangeError if dst is
   * shorter than src, TypeError.
   */
  allocPages(src: Uint32Array, dst: Uint32Array): number {
    return allocPagesInto(this.#ctx, "hmm.allocPages", src, dst, 0);
  }

  /** Allocates a page of system memory: locked, with one reference, not zeroed. Returns 0 if none is left. */
  allocPage(): Page {
    return this.#ctx.core.systemAllocPage() >>> 0;
  }

  /**
   * Takes a reference on a page in use (get_page). Throws RangeError for what is no page, HmmError EINVAL for
   * a free page.
   */
  pageGet(page: Page): void {
    pageCall(this.#ctx, "hmm.pageGet", page, "in use", ({ core }) => core.pageGet(page));
  }

  /** Drops a reference (put_page); the last one frees the page. Throws as {@link pageGet}. */
  pagePut(page: Page): void {
    const kind = "in use with a reference of yours";
    pageCall(this.#ctx, "hmm.pagePut", page, kind, ({ core }) => core.pagePut(page));
  }

  /** Locks a page (trylock_page). Returns false if it was locked already. Throws as {@link pageGet}. */
  pageLock(page: Page): boolean {
    return pageCall(this.#ctx, "hmm.pageLock", page, "in use", ({ core }) => core.pageTryLock(page)) !== 0;
  }

  /**
   * Unlocks a page (unlock_page). Throws as {@link pageGet}, and HmmError EINVAL for a page that is not
   * locked.
   */
  pageUnlock(page: Page): void {
    const kind = "in use that you have locked";
    pageCall(this.#ctx, "hmm.pageUnlock", page, kind, ({ core }) => core.pageUnlock(page));
  }

  /**
   * Takes a page of system memory off the LRU list, which reclaim and migrations look at, and takes a
   * reference on it (folio_isolate_lru): for code that moves or compacts pages itself. Until {@link
   * pagePutback} the page is neither migrated (NOT_ISOLATED) nor paged out nor collapsed; CPUs and devices
   * reach it as before. Returns false if the page is not on the list: it is isolated already, or never was on
   * it (device memory, hugetlb, a driver's page). Throws as {@link pageGet}.
   */
  pageIsolate(page: Page): boolean {
    const isolated = pageCall(this.#ctx, "hmm.pageIsolate", page, "in use", ({ core }) =>
      core.pageIsolate(page),
    );
    return isolated !== 0;
  }

  /**
   * Ends {@link pageIsolate} (folio_putback_lru). Throws as {@link pageGet}, and EINVAL for a page that is
   * not isolated.
   */
  pagePutback(page: Page): void {
    const kind = "in use that you have isolated";
    pageCall(this.#ctx, "hmm.pagePutback", page, kind, ({ core }) => core.pagePutback(page));
  }

  /**
   * Runs `body` with a live view of the page's 4096 bytes, which must not be kept. Returns what `body`
   * returns. Throws RangeError for what is no page, HmmError EINVAL for a free page, EOPNOTSUPP with backing
   * "metadata".
   */
  pageBytes<T>(page: Page, body: (bytes: Uint8Array) => T): T {
    return pageBytes(this.#ctx, page, body);
  }

  /**
   * Returns the device memory that a page lies in, or null for system memory. Throws RangeError for what is
   * no page.
   */
  pageDevmem(page: Page): HmmDevmem | null {
    const kind = "of some memory";
    const zone = pageCall(this.#ctx, "hmm.pageDevmem", page, kind, ({ core }) => core.pageZone(page));
    return (this.#ctx.devmems.get(zone) as HmmDevmem | undefined) ?? null;
  }

  /** Returns whether a page is device memory. Throws RangeError for what is no page. */
  isDevicePage(page: Page): boolean {
    return checkPage(this.#ctx, "hmm.isDevicePage", page) >= this.#ctx.mem.header(HDR_DEVICE_BASE);
  }

  /** The zero page: untouched anonymous memory reads it. */
  get zeroPage(): Page {
    return this.#ctx.mem.header(HDR_ZERO_PFN);
  }

  /** How many pages of system memory are free. {@link pageTables} of them cannot be allocated. */
  get freePages(): number {
    return this.#ctx.mem.u32(HEADER + ZONES + ZONE_FREE_PAGES);
  }

  /**
   * How many page tables of address spaces, of all levels, count as pages of system memory, as in Linux: all
   * of them, or 0 where `config.capacities.pageTables` gives them a pool of their own.
   */
  get pageTables(): number {
    return this.#ctx.mem.u32(HEADER + ZONES + ZONE_TABLES);
  }

  /** How many hugetlb pages, of 2 MiB, are free (HugePages_Free). */
  get freeHugetlbPages(): number {
    return this.#ctx.mem.header(HDR_HUGETLB_FREE);
  }

  // ── settings and KSM ──

  /**
   * Makes the n-th allocation inside the core from now on fail, once: a frame, a table, an object or an
   * array. 0 cancels that. For tests of a driver's failure paths. Throws RangeError and TypeError.
   */
  failAllocation(n: number): void {
    knobs.failAllocation(this.#ctx, n);
  }

  /** Which allocation from now on {@link failAllocation} lets fail; 0: none, or it has failed. */
  get failingAllocation(): number {
    return knobs.failingAllocation(this.#ctx);
  }

  /**
   * How many bytes around a read fault of a file's mapping are mapped with it, where the page cache has their
   * pages: a power of two from 4096 (off) to 2 MiB. Default 64 KiB. Setting it throws RangeError and
   * TypeError.
   */
  get faultAround(): number {
    return knobs.faultAround(this.#ctx);
  }

  set faultAround(bytes: number) {
    knobs.setFaultAround(this.#ctx, bytes);
  }

  /** For which mappings faults map folios of `bytes`, as {@link setHugepages} set it. Throws as that. */
  hugepages(bytes: number): HugepageMode {
    return knobs.hugepages(this.#ctx, bytes);
  }

  /**
   * Sets for which mappings of anonymous memory a fault maps a whole folio of `bytes`: a power of two from 16
   * KiB to 2 MiB (/sys/kernel/mm/transparent_hugepage/hugepages-*kB/enabled). "madvise": those with
   * MADV_HUGEPAGE. Default: "madvise" for 2 MiB, "never" for the others, which need `linux: "7.3"`. Throws
   * RangeError and TypeError.
   */
  setHugepages(bytes: number, mode: HugepageMode): void {
    knobs.setHugepages(this.#ctx, bytes, mode);
  }

  /**
   * Whether pages may be paged out to the engine's swap space (swapon, swapoff). Pages that are swapped out
   * stay there and come back on access. Setting it throws RangeError where there is no swap space, TypeError.
   */
  get swapOn(): boolean {
    return knobs.swapOn(this.#ctx);
  }

  set swapOn(on: boolean) {
    knobs.setSwapOn(this.#ctx, on);
  }

  /**
   * Merges pages as ksmd does: looks `passes` times at every page of the mappings that MADV_MERGEABLE has
   * marked, and merges equal pages into one read-only page, after the mirrors were told. A page is merged at
   * the earliest in the second pass that finds it unchanged. Pinned pages and pages on a device stay as they
   * are. Returns what is merged now.
   *
   * Throws RangeError; HmmError ENOMEM (nested operations), EOPNOTSUPP with backing "metadata", EDEADLK where
   * a mmapSem is held for write, or from a notifier's callback.
   */
  ksmScan(passes = 1): KsmCounts {
    return ksmScan(this.#ctx, passes);
  }

  // ── watching ──

  /**
   * Calls `listener` for each event of this name, at the end of the API call in which it happened. Returns
   * the function that ends that. Events cost nothing while there is no listener. Throws RangeError and
   * TypeError.
   */
  on<N extends HmmEventName>(name: N, listener: (event: HmmEvents[N]) => void): () => void {
    return this.#ctx.log.on(name, listener);
  }

  /** The counters since boot. */
  get stats(): HmmStats {
    return readStats(this.#ctx.mem);
  }

  /**
   * Checks every invariant of the engine. Throws HmmError EINVARIANT with the first broken invariant and what
   * surrounds it; TypeError inside a driver's callback, where an operation is half done.
   */
  verify(): void {
    verify(this.#ctx);
  }

  /**
   * Describes an address in every address space that has a mapping or an entry there: its mapping, its entry
   * with the page, and the entries of device tables. Each description has a `text`, too. Throws TypeError and
   * RangeError unless addr is an address below 2^48.
   */
  describe(addr: number): AddressDescription[] {
    return describeAddress(this.#ctx, addr);
  }

  /**
   * Closes what is open: migrations, address spaces (their mirrors are released), device tables, files,
   * arrays, devmems and groups. The memory itself goes with the last reference to the engine, closed or not.
   * Throws, after everything was tried, what closing the objects threw (pinned device pages keep a devmem);
   * TypeError inside a driver's callback.
   */
  close(): void {
    this.#ctx.demandOutermost("hmm.close");
    closeAll(this.#ctx);
  }

  [dispose](): void {
    this.close();
  }

  /** @internal */
  [inspect](): string {
    const { systemMemory, deviceMemory, backing } = this.config;
    return line("Hmm", false, () => [
      `${count(systemMemory / PAGE_SIZE, "page")} of system memory (${this.freePages} free)`,
      `${deviceMemory / PAGE_SIZE} of device memory`,
      backing === "metadata" && "without bytes",
      count(this.#ctx.mms.size, "address space"),
      count(this.#ctx.migrations.length, "open migration"),
    ]);
  }

  // ── snapshots ──

  /**
   * Returns the whole state as bytes: the same calls make the same bytes. State in JavaScript is not part of
   * it: callbacks, held locks, pins, exclusive pages, pfn arrays, tracked 2018 ranges. Throws TypeError
   * inside a driver's callback.
   *
   * The bytes are a new array, or the first ones of `options.into`: reusing one array avoids most of the
   * cost. Their number depends on the sizes that the engine was made with, on the page tables that were ever
   * in use at one time (4 KiB each) and, by a few bytes for each, on the open objects; the RangeError for an
   * array that is too short names the number.
   */
  snapshot(options: SnapshotOptions = {}): Uint8Array {
    return takeSnapshot(this.#ctx, options);
  }

  /**
   * Makes an engine that goes on from a snapshot. `attach` gives each mirror, notifier and devmem, named by
   * its stable id, its callbacks again; a missing one is a RangeError that names it. `migrations()`, `mms()`
   * and `deviceTables()` find the open objects. Throws also RangeError for bytes that are no snapshot of this
   * version, TypeError, HmmError ENOMEM.
   */
  static restore(bytes: Uint8Array, attach: RestoreAttachments = {}): Hmm {
    const op = "Hmm.restore";
    checkOptions(op, "attach", attach);
    const module = checkModule(attach.module === undefined ? compileEmbedded() : attach.module, op);
    const core = instantiate(module);
    const { mem, header } = openSnapshot(core, bytes, attach);
    const hmm = new Hmm(core, module, mem, header.settings);
    restoreObjects(contextOf(op, hmm), header, attach);
    return hmm;
  }
}

/** The core that a configuration names, and under which name. */
function sourceOf({ wasm, module }: HmmConfig): readonly ["wasm" | "module", WasmSource | undefined] {
  return module === undefined ? ["wasm", wasm] : ["module", module];
}

/**
 * The objects of a registry by id. The context knows them by small interfaces; the caller names their class.
 */
function byId<T extends { id: number }>(objects: Iterable<T>): T[] {
  return [...objects].sort((a, b) => a.id - b.id);
}
