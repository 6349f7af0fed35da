import { EBUSY } from "../../assembly/uapi/errno.ts";
import { HDR_RESULT } from "../../assembly/abi/header.ts";
import {
  MM_FAULTS,
  MM_MAJOR_FAULTS,
  MM_RSS_ANON,
  MM_RSS_FILE,
  MM_RSS_SHMEM,
  MM_RSS_SWAP,
  MM_VMA_FIRST,
} from "../../assembly/abi/object.ts";
import { RESOURCE_MM } from "../../assembly/abi/pool.ts";
import type { Context } from "../engine/context.ts";
import type { CoreExports } from "../engine/core.ts";
import { describeSpace, spaceText, type SpaceDescription } from "../engine/describe.ts";
import { dispose } from "../engine/dispose.ts";
import {
  ADDRESS_LIMIT,
  badType,
  checkAddress,
  checkOptions,
  checkPageRange,
  HmmError,
} from "../engine/errors.ts";
import type { Forward } from "../engine/forward.ts";
import { count, inspect, line } from "../engine/inspect.ts";
import type { FaultKind, MadviseAdvice, MremapFlags, OrNumber, Prot, PteFlags } from "../engine/protocol.ts";
import type { OpenMigration, Subscriber, TrackedRange } from "../engine/registry.ts";
import { run } from "../engine/request.ts";
import { accessAsync, faultAsyncOf } from "./access-async.ts";
import {
  accessSync,
  beginAccess,
  faultSync,
  slowLoad,
  slowStore,
  type AccessOptions,
  type FaultOptions,
} from "./access.ts";
import { hold, holdOf, whenFree, type Hold, type SemOption } from "./hold.ts";
import * as mappings from "./mappings.ts";
import type { MmapArgs, PopulateOptions, SpecialKind } from "./mappings.ts";
import { pinPages, type Pin, type PinOptions } from "./pin.ts";
import { MmapSem } from "./sem.ts";
import { translate } from "./translate.ts";
import { Vma } from "./vma.ts";

declare module "../engine/forward.ts" {
  interface Forward {
    Mm: Mm;
  }
}

/** The resident pages of an address space by kind, device memory included, and its swapped pages. */
export interface Rss {
  anon: number;
  file: number;
  shmem: number;
  swap: number;
  /** anon + file + shmem. */
  total: number;
}

/** A range of page addresses. */
export interface AddressRange {
  /** The first byte. Default 0. */
  start?: number | undefined;
  /** The end, exclusive. Default 2^48. */
  end?: number | undefined;
}

/** The CPU faults that an address space has taken. */
export interface FaultCounts {
  minor: number;
  major: number;
  total: number;
}

const WORD_LIMIT = 2 ** 46;

/**
 * An address space (`struct mm_struct`), made by `hmm.createMm()` or `fork()`. The caller closes it.
 * Addresses are bytes, below 2^48. Every method throws TypeError after close(), RangeError or TypeError for
 * bad arguments before anything happens, and HmmError EDEADLK where mmapSem is held in a way that the method
 * would wait for.
 */
export class Mm {
  /** Its number. Numbers of closed address spaces are used again. */
  readonly id: number;
  /** The engine that it belongs to. */
  readonly hmm: Forward["Hmm"];
  /** The lock over its mappings. */
  readonly mmapSem = new MmapSem();
  /** @internal PROT_* bits that a running mprotect installs, else 0. */
  protecting = 0;
  /** @internal Oldest first. Replaced, never changed: an invalidation may be walking the list. */
  subscribers: readonly Subscriber[] = [];
  /** @internal Whether a mirror is registered. */
  mirrored = false;
  /** @internal Ranges between hmmVmaGetPfns or hmmVmaFault and hmmVmaRangeDone. */
  readonly ranges: TrackedRange[] = [];
  /** @internal */
  readonly ctx: Context;
  /** @internal */
  readonly core: CoreExports;
  /** The core's object, an address in linear memory. */
  readonly #address: number;
  /** The handle that was made last: mostly the next one that is asked for. */
  #latestVma: Vma | null = null;
  #closed = false;
  /** Whether close() is running. */
  #closing = false;

  private constructor(ctx: Context, id: number) {
    this.ctx = ctx;
    this.core = ctx.core;
    this.id = id;
    this.hmm = ctx.hmm;
    this.#address = ctx.mem.objectAddress(RESOURCE_MM, id);
    ctx.mms.set(id, this);
  }

  /** @internal The address space that the core has under this id, which is new. */
  static open(ctx: Context, id: number): Mm {
    return new Mm(ctx, id);
  }

  /** Whether it is closed. */
  get closed(): boolean {
    return this.#closed;
  }

  // ── mappings ──

  /**
   * Makes a mapping (mmap). Returns its address. A shared anonymous mapping has a file of its own, which goes
   * with its last mapping. With MAP_HUGETLB (private anonymous memory only) it consists of hugetlb pages: the
   * length is rounded up to 2 MiB, and a fixed address must be a multiple of that. Takes mmapSem for write.
   *
   * Throws HmmError ENOMEM (address space, vmas, files or hugetlb pages run out), EINVAL (flags or prot),
   * EEXIST (MAP_FIXED_NOREPLACE).
   */
  mmap(args: MmapArgs): number {
    return mappings.mmap(this, args);
  }

  /**
   * Makes a mapping as a driver's mmap does. Returns its address. "mixed": zeroed pages, all present at once,
   * that belong to no file and are not anonymous (vm_insert_page, VM_MIXEDMAP). "pfn": memory without pages
   * (remap_pfn_range, VM_PFNMAP), which a CPU may read and a device may not; a CPU's writes to it are lost.
   * Such mappings never merge and never migrate. Throws as {@link mmap}.
   */
  mmapSpecial(kind: SpecialKind, args: Omit<MmapArgs, "file" | "offset">): number {
    return mappings.mmapSpecial(this, kind, args);
  }

  /**
   * Unmaps [addr, addr + length), bytes, rounded up to pages (munmap). Holes are allowed. Takes mmapSem for
   * write. Throws HmmError EINVAL, and changes nothing, if the range ends beyond user space (TASK_SIZE);
   * ENOMEM if a mapping has to be split and no vma is left.
   */
  munmap(addr: number, length: number, options: SemOption = {}): void {
    mappings.munmap(this, "mm.munmap", addr, length, options);
  }

  /** Unmaps as {@link munmap} does, when mmapSem is free. */
  async munmapAsync(addr: number, length: number): Promise<void> {
    const op = "mm.munmapAsync";
    await whenFree(this, op, (sem) => mappings.munmap(this, op, addr, length, { sem }));
  }

  /**
   * Sets the protection of [addr, addr + length), bytes, rounded up to pages (mprotect). Takes mmapSem for
   * write. Throws HmmError ENOMEM for a hole in the range (what precedes the hole is changed), EACCES for a
   * file that must not be written, EINVAL for other bits than PROT_READ, PROT_WRITE and PROT_EXEC.
   */
  mprotect(addr: number, length: number, prot: Prot, options: SemOption = {}): void {
    mappings.mprotect(this, "mm.mprotect", addr, length, prot, options);
  }

  /** Sets the protection as {@link mprotect} does, when mmapSem is free. */
  async mprotectAsync(addr: number, length: number, prot: Prot): Promise<void> {
    const op = "mm.mprotectAsync";
    await whenFree(this, op, (sem) => mappings.mprotect(this, op, addr, length, prot, { sem }));
  }

  /**
   * Gives advice about [addr, addr + length), bytes, rounded up to pages (madvise). Throws HmmError EINVAL
   * (unknown advice, or advice that does not fit the mapping), ENOMEM (a hole; the mapped parts are done),
   * EFAULT (populating failed).
   */
  madvise(addr: number, length: number, advice: OrNumber<MadviseAdvice>, options: SemOption = {}): void {
    mappings.madvise(this, "mm.madvise", addr, length, advice, options);
  }

  /**
   * Faults [addr, addr + length) in, for writing unless options.write is false (MADV_POPULATE_WRITE,
   * MADV_POPULATE_READ). Throws as {@link madvise}.
   */
  populate(addr: number, length: number, options: PopulateOptions = {}): void {
    mappings.populate(this, addr, length, options);
  }

  /**
   * Resizes or moves a mapping (mremap). Lengths are bytes, rounded up to pages; newAddr counts with
   * MREMAP_FIXED only. Returns the new address. Takes mmapSem for write. Throws HmmError EFAULT (a hole),
   * ENOMEM, EINVAL.
   */
  mremap(
    addr: number,
    oldLength: number,
    newLength: number,
    flags: MremapFlags = 0,
    newAddr = 0,
    options: SemOption = {},
  ): number {
    return mappings.mremap(this, "mm.mremap", addr, oldLength, newLength, flags, newAddr, options);
  }

  /** Resizes or moves a mapping as {@link mremap} does, when mmapSem is free. */
  async mremapAsync(
    addr: number,
    oldLength: number,
    newLength: number,
    flags: MremapFlags = 0,
    newAddr = 0,
  ): Promise<number> {
    const op = "mm.mremapAsync";
    return whenFree(this, op, (sem) =>
      mappings.mremap(this, op, addr, oldLength, newLength, flags, newAddr, { sem }),
    );
  }

  /**
   * Keeps [addr, addr + length) resident (mlock). Throws HmmError ENOMEM (a hole), EAGAIN (a page is not
   * available).
   */
  mlock(addr: number, length: number, options: SemOption = {}): void {
    mappings.mlock(this, addr, length, options);
  }

  /** Ends {@link mlock} over [addr, addr + length) (munlock). Throws HmmError ENOMEM (a hole). */
  munlock(addr: number, length: number, options: SemOption = {}): void {
    mappings.munlock(this, addr, length, options);
  }

  /**
   * Registers [addr, addr + length) with userfaultfd, for missing pages, with the SIGBUS feature: touching a
   * page that was never present is a SIGBUS (HmmError EFAULT), and a migration does not fill holes. Fork and
   * mremap drop the registration. Throws HmmError EINVAL for holes and for mappings of files.
   */
  uffdRegister(addr: number, length: number, options: SemOption = {}): void {
    mappings.uffd(this, "mm.uffdRegister", addr, length, true, options);
  }

  /** Ends {@link uffdRegister} over [addr, addr + length). Throws as uffdRegister does. */
  uffdUnregister(addr: number, length: number, options: SemOption = {}): void {
    mappings.uffd(this, "mm.uffdUnregister", addr, length, false, options);
  }

  /**
   * Writes back the dirty pages of disk files that are mapped shared in [addr, addr + length) (msync with
   * MS_SYNC). Their entries become clean and write-protected, after the mirrors were told: the next write
   * faults. Throws HmmError ENOMEM for a hole in the range; the mapped parts are written back all the same.
   */
  msync(addr: number, length: number): void {
    mappings.msync(this, addr, length);
  }

  /**
   * Returns a byte for each page of [addr, addr + length): bit 0 says resident (mincore). Throws HmmError
   * ENOMEM (a hole).
   */
  mincore(addr: number, length: number): Uint8Array {
    return mappings.mincore(this, addr, length);
  }

  /**
   * Makes a child with a copy of every mapping (fork). Private pages are shared until one side writes. Takes
   * mmapSem for write. The caller closes the child. Throws HmmError ENOMEM.
   */
  fork(options: SemOption = {}): Mm {
    return this.#fork("mm.fork", holdOf("mm.fork", options));
  }

  /** Makes a child as {@link fork} does, when mmapSem is free. */
  async forkAsync(): Promise<Mm> {
    const op = "mm.forkAsync";
    return whenFree(this, op, (sem) => this.#fork(op, sem));
  }

  #fork(op: string, how: Hold): Mm {
    const ctx = this.check(op);
    let child: Mm | null = null;
    const call = (): number => this.core.mmFork(this.id);
    hold(this, op, how, call, (id) => (child = new Mm(ctx, id)));
    return child!;
  }

  /** Returns the mapping that holds addr, or null. Asked again, it may return the same handle. */
  findVma(addr: number): Vma | null {
    const op = "mm.findVma";
    this.check(op);
    checkAddress(op, "addr", addr);
    const pointer = this.core.findVma(this.id, addr) >>> 0;
    return pointer === 0 ? null : this.vmaAt(pointer);
  }

  /** Returns all mappings, in address order. */
  vmas(): Vma[] {
    const ctx = this.check("mm.vmas");
    return Vma.list(this, ctx, this.#field(MM_VMA_FIRST));
  }

  /**
   * Returns the CPU's page-table entry of addr: PTE_* flags, and a pfn or the number of a swapped page. null:
   * no entry.
   */
  lookupPte(addr: number): { flags: PteFlags; pfn: number } | null {
    const op = "mm.lookupPte";
    const ctx = this.check(op);
    checkAddress(op, "addr", addr);
    const flags = this.core.lookupPte(this.id, addr) >>> 0;
    return flags === 0 ? null : { flags, pfn: ctx.mem.headerF64(HDR_RESULT) };
  }

  /**
   * Writes what the CPU's entries of many addresses name to `out`: an hmm_pfn word each (VALID, WRITE, page),
   * 0 where nothing is mapped. Faults nothing in. Copies nothing if both arrays are the engine's
   * (hmm.addressArray, hmm.pfnArray). Returns how many words are not 0. Throws RangeError if out is shorter
   * than addresses, or for an address from 2^48 on.
   */
  translate(addresses: Float64Array, out: Uint32Array): number {
    return translate(this, addresses, out);
  }

  // ── CPU accesses ──

  /**
   * Reads as a CPU does from addr on, into `target` or into a new array of `target` bytes. Returns the array.
   * Pages are faulted in; device pages come back by their driver's fault callback.
   *
   * Throws HmmError EFAULT ("SEGV_MAPERR", "SEGV_ACCERR", "SIGBUS"), ENOMEM, EAGAIN (an open migration: use
   * readAsync) and ELOOP (the driver never moves the page), with faultCode, address and done (bytes).
   */
  read(addr: number, target: Uint8Array | number, options?: AccessOptions): Uint8Array {
    return accessSync(beginAccess("mm.read", this, addr, target, false, options));
  }

  /** Writes as a CPU does from addr on. Throws as {@link read}: error.done bytes are written then. */
  write(addr: number, bytes: Uint8Array, options?: AccessOptions): void {
    accessSync(beginAccess("mm.write", this, addr, bytes, true, options));
  }

  /**
   * Reads as {@link read} does, but waits for open migrations, and calls a driver's faultAsync if there is
   * one.
   */
  async readAsync(addr: number, target: Uint8Array | number, options?: AccessOptions): Promise<Uint8Array> {
    return accessAsync(beginAccess("mm.readAsync", this, addr, target, false, options));
  }

  /** Writes as {@link write} does, and waits as {@link readAsync} does. */
  async writeAsync(addr: number, bytes: Uint8Array, options?: AccessOptions): Promise<void> {
    await accessAsync(beginAccess("mm.writeAsync", this, addr, bytes, true, options));
  }

  /** Returns the unsigned 32-bit word at addr, a multiple of 4. Throws as {@link read}. */
  load32(addr: number): number {
    const word = typeof addr === "number" ? addr * 0.25 : -1;
    if (
      word === Math.floor(word) &&
      word >= 0 &&
      word < WORD_LIMIT &&
      !this.#closed &&
      !this.mmapSem.writeHeld
    ) {
      const value = this.core.load32(this.id, addr);
      if (value !== -1) return value >>> 0;
    }
    return slowLoad(this, addr);
  }

  /** Writes the low 32 bits of an integer at addr, a multiple of 4. Throws as {@link write}. */
  store32(addr: number, value: number): void {
    const word = typeof addr === "number" ? addr * 0.25 : -1;
    if (
      word === Math.floor(word) &&
      word >= 0 &&
      word < WORD_LIMIT &&
      typeof value === "number" &&
      (value === (value | 0) || value === value >>> 0) &&
      !this.#closed &&
      !this.mmapSem.writeHeld &&
      this.core.store32(this.id, addr, value) !== 0
    ) {
      return;
    }
    slowStore(this, addr, value);
  }

  /**
   * Faults the page at addr in as a CPU access does (handle_mm_fault). Returns FAULT_KIND_*. Throws as {@link
   * read}.
   */
  fault(addr: number, options: FaultOptions = {}): FaultKind {
    return faultSync(this, addr, options);
  }

  /** Faults as {@link fault} does, and waits as {@link readAsync} does. */
  async faultAsync(addr: number, options: FaultOptions = {}): Promise<FaultKind> {
    return faultAsyncOf(this, addr, options);
  }

  /**
   * Faults npages pages in from addr (a page address) on and takes a reference on each (get_user_pages).
   * Returns the pin, which the caller closes; it has fewer pages where a later one failed. Throws as {@link
   * read} if the first page failed, and HmmError EBUSY if options.longTerm has to move a page that cannot
   * move.
   */
  pin(addr: number, npages: number, options: PinOptions = {}): Pin {
    return pinPages(this, addr, npages, options);
  }

  // ── accounting ──

  /** The resident pages by kind, device memory included. */
  get rss(): Rss {
    this.check("mm.rss");
    const anon = this.#field(MM_RSS_ANON);
    const file = this.#field(MM_RSS_FILE);
    const shmem = this.#field(MM_RSS_SHMEM);
    return { anon, file, shmem, swap: this.#field(MM_RSS_SWAP), total: anon + file + shmem };
  }

  /** The CPU faults taken so far. */
  get faults(): FaultCounts {
    this.check("mm.faults");
    const total = this.#field(MM_FAULTS);
    const major = this.#field(MM_MAJOR_FAULTS);
    return { minor: total - major, major, total };
  }

  /**
   * Describes [range.start, range.end), by default everything: the mappings, the page tables level by level,
   * and each entry with its page. An object for pictures; {@link dump} writes it as text. Throws RangeError
   * unless both are page addresses, TypeError.
   */
  describe(range: AddressRange = {}): SpaceDescription {
    return describeRange(this, "mm.describe", range);
  }

  /**
   * Writes what {@link describe} returns as text, a line for each mapping, table and entry. Throws as
   * describe does.
   */
  dump(range: AddressRange = {}): string {
    return spaceText(describeRange(this, "mm.dump", range));
  }

  // ── the end ──

  /**
   * Closes the address space (exit_mmap): tells the mirrors (update with MMU_NOTIFY_RELEASE, then release)
   * and the interval notifiers, and gives everything back. Its vmas, notifiers and device tables are dead
   * afterwards. Idempotent.
   *
   * Called again by one of these callbacks it does nothing: the first call goes on. Throws HmmError EBUSY
   * while one of its migrations is open, EDEADLK while mmapSem is held; and, when it is closed, what
   * callbacks threw.
   */
  close(): void {
    const op = "mm.close";
    if (this.#closed || this.#closing) return;
    const open = this.#openMigration();
    if (open !== undefined) throw new HmmError(EBUSY, op, `migration ${open.id} is open`);
    this.ctx.demandNoInvalidation(op);
    if (this.mmapSem.mode !== "free") this.mmapSem.enterWrite(op);
    this.#close(op);
  }

  /**
   * Closes the address space as {@link close} does, when its open migrations have ended and mmapSem is free.
   * Rejects with what callbacks threw.
   */
  async closeAsync(): Promise<void> {
    const op = "mm.closeAsync";
    while (!this.#closed && !this.#closing) {
      const open = this.#openMigration();
      if (open !== undefined) {
        await open.ended;
        continue;
      }
      const guard = await this.mmapSem.writeAsync(op);
      try {
        if (!this.#closed && !this.#closing && this.#openMigration() === undefined) this.#close(op);
      } finally {
        guard.close();
      }
    }
  }

  #openMigration(): OpenMigration | undefined {
    return this.ctx.migrations.find(({ mm }) => mm === this);
  }

  #close(op: string): void {
    this.#closing = true;
    try {
      this.#exit(op);
    } finally {
      this.#closing = false;
    }
  }

  #exit(op: string): void {
    const { ctx } = this;
    this.invalidateRanges(0, Infinity);
    // The most recently registered one first; a release callback may unregister others.
    for (let mirror = this.#lastMirror(); mirror !== null; mirror = this.#lastMirror()) mirror.mmClosed();
    const answer = run(ctx, this.core.mmClose(this.id));
    if (answer >= 0) this.#gone();
    ctx.finish(op, answer);
  }

  [dispose](): void {
    this.close();
  }

  #gone(): void {
    const { ctx } = this;
    this.#closed = true;
    ctx.mms.delete(this.id);
    for (const range of this.ranges) range.mmClosed();
    this.ranges.length = 0;
    for (const subscriber of this.subscribers) subscriber.mmClosed();
    for (const table of [...ctx.deviceTables.values()]) if (table.mm === this) table.close();
  }

  #lastMirror(): Subscriber | null {
    for (let i = this.subscribers.length - 1; i >= 0; i--) {
      const subscriber = this.subscribers[i];
      if (subscriber.kind === "mirror") return subscriber;
    }
    return null;
  }

  /** @internal */
  [inspect](): string {
    return line(`Mm ${this.id}`, this.#closed && "closed", () => {
      const { anon, file, shmem, swap, total } = this.rss;
      const kinds = Object.entries({ anon, file, shmem }).filter(([, n]) => n > 0);
      const byKind = kinds.map((kind) => kind.join(" ")).join(", ");
      const { mode, holders } = this.mmapSem;
      return [
        count(this.vmas().length, "mapping"),
        `rss ${count(total, "page")}${byKind && ` (${byKind})`}`,
        swap > 0 && `${swap} swapped`,
        holders.length > 0 && `mmapSem held for ${mode} by ${holders.join(", ")}`,
      ];
    });
  }

  // ── for the other classes: see Space and AddressSpace ──

  /** @internal */
  check(op: string): Context {
    if (this.#closed) throw new TypeError(`${op}: the mm is closed`);
    return this.ctx;
  }

  /** @internal */
  vmaAt(pointer: number): Vma {
    const latest = this.#latestVma;
    return latest?.isAt(pointer) === true ? latest : (this.#latestVma = Vma.at(this, this.ctx, pointer));
  }

  /** @internal Adds a subscriber, the newest from now on. */
  subscribe(subscriber: Subscriber): void {
    this.#setSubscribers([...this.subscribers, subscriber]);
  }

  /** @internal Removes a subscriber. */
  unsubscribe(subscriber: Subscriber): void {
    this.#setSubscribers(this.subscribers.filter((other) => other !== subscriber));
  }

  #setSubscribers(subscribers: readonly Subscriber[]): void {
    this.subscribers = subscribers;
    this.mirrored = this.#lastMirror() !== null;
  }

  /** @internal */
  invalidateRanges(start: number, end: number): void {
    for (const range of this.ranges) range.invalidate(start, end);
  }

  #field(offset: number): number {
    return this.ctx.mem.u32(this.#address + offset);
  }
}

function describeRange(mm: Mm, op: string, range: AddressRange): SpaceDescription {
  const ctx = mm.check(op);
  checkOptions(op, "range", range);
  const { start = 0, end = ADDRESS_LIMIT } = range;
  checkPageRange(op, start, end);
  return describeSpace(ctx, mm, start, end);
}

/** @internal Returns the context of an mm. Throws TypeError for any other value, and for a closed mm. */
export function checkMm(op: string, mm: unknown): Context {
  if (!(mm instanceof Mm)) throw badType(op, "mm", "an Mm", mm);
  return mm.check(op);
}
