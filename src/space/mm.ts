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
import { HmmMirror } from "../device/mirror.ts";
import { MmuIntervalNotifier } from "../device/notifier.ts";
import type { HmmRange } from "../device/range.ts";
import type { Context } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import { badRange, badType, checkAddress, HmmError, roundDown } from "../engine/errors.ts";
import type { Subscriber } from "../engine/request.ts";
import type { Hmm } from "../hmm.ts";
import { accessAsync, faultAsyncOf } from "./access-async.ts";
import { accessSync, accessWord, beginAccess, faultSync, type AccessOptions } from "./access.ts";
import { Mappings } from "./mappings.ts";
import { pinPages, type Pin, type PinOptions } from "./pin.ts";
import { translate } from "./translate.ts";
import { listVmas, Vma } from "./vma.ts";

/** Resident pages by kind, and swapped ones. */
export interface Rss {
  anon: number;
  file: number;
  shmem: number;
  swap: number;
  /** anon + file + shmem. */
  total: number;
}

/** CPU faults taken. */
export interface FaultCounts {
  minor: number;
  major: number;
  total: number;
}

const WORD_LIMIT = 2 ** 46;

/**
 * An address space (`struct mm_struct`), made by `hmm.createMm()` or `fork()`. Whoever has it closes it. All methods
 * throw TypeError after close(), RangeError and TypeError for bad arguments before anything happens, and HmmError
 * EDEADLK where mmapSem is held in a way that they would wait for.
 */
export class Mm extends Mappings {
  readonly hmm: Hmm;
  /** @internal Replaced, never changed: an invalidation may be walking it. Oldest first. */
  subscribers: readonly Subscriber[] = [];
  /** @internal Tracked 2018 snapshots. */
  readonly ranges: HmmRange[] = [];
  readonly #address: number;
  #closed = false;

  /** @internal */
  constructor(ctx: Context, id: number) {
    super(ctx, id);
    this.hmm = ctx.hmm;
    this.#address = ctx.mem.objectAddress(RESOURCE_MM, id);
    ctx.mms.set(id, this);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** fork: a child with a copy of every mapping; private pages are shared until written. The caller closes it. */
  fork(): Mm {
    const op = "mm.fork";
    const ctx = this.check(op);
    let child: Mm | null = null;
    this.hold(
      op,
      true,
      () => this.core.mmFork(this.id),
      (id) => (child = new Mm(ctx, id)),
    );
    return child!;
  }

  /** The mapping that holds addr, or null. */
  findVma(addr: number): Vma | null {
    const op = "mm.findVma";
    const ctx = this.check(op);
    checkAddress(op, "addr", addr);
    const pointer = this.core.findVma(this.id, addr) >>> 0;
    return pointer === 0 ? null : new Vma(this, ctx, pointer);
  }

  /** All mappings, in address order. */
  vmas(): Vma[] {
    const ctx = this.check("mm.vmas");
    return listVmas(this, ctx, ctx.mem.u32(this.#address + MM_VMA_FIRST));
  }

  /** The CPU's page-table entry for addr, or null where there is none: PTE_* flags, and a pfn or swap slot. */
  lookupPte(addr: number): { flags: number; pfn: number } | null {
    const op = "mm.lookupPte";
    const ctx = this.check(op);
    checkAddress(op, "addr", addr);
    const flags = this.core.lookupPte(this.id, addr) >>> 0;
    return flags === 0 ? null : { flags, pfn: ctx.mem.headerF64(HDR_RESULT) };
  }

  /**
   * What the CPU's entries name for many addresses at once: an hmm_pfn word each (VALID, WRITE, page), 0 where nothing
   * is mapped. Faults nothing in. Copies nothing if both arrays are the engine's (addressArray, pfnArray). Returns the
   * number of words that are not 0. Throws RangeError if out is shorter than addresses.
   */
  translate(addresses: Float64Array, out: Uint32Array): number {
    return translate(this, addresses, out);
  }

  // ── CPU accesses ──

  /**
   * Reads like a CPU from addr on: into `target`, or into a new array of so many bytes. Returns the array. Pages are
   * faulted in; device pages come back by their driver's fault callback.
   *
   * Throws HmmError EFAULT ("SEGV_MAPERR", "SEGV_ACCERR", "SIGBUS"), ENOMEM, EAGAIN (an open migration: use
   * readAsync) and ELOOP (the driver never moves the page), with faultCode, address and done (bytes).
   */
  read(addr: number, target: Uint8Array | number, options?: AccessOptions): Uint8Array {
    return accessSync(beginAccess("mm.read", this, addr, target, false, options));
  }

  /** Writes like a CPU from addr on. Throws as {@link read}; error.done bytes are written then. */
  write(addr: number, bytes: Uint8Array, options?: AccessOptions): void {
    accessSync(beginAccess("mm.write", this, addr, bytes, true, options));
  }

  /** As {@link read}; waits for open migrations, and calls a driver's faultAsync where it has one. */
  async readAsync(addr: number, target: Uint8Array | number, options?: AccessOptions): Promise<Uint8Array> {
    return accessAsync(beginAccess("mm.readAsync", this, addr, target, false, options));
  }

  /** As {@link write}; waits like {@link readAsync}. */
  async writeAsync(addr: number, bytes: Uint8Array, options?: AccessOptions): Promise<void> {
    await accessAsync(beginAccess("mm.writeAsync", this, addr, bytes, true, options));
  }

  /** The unsigned 32-bit word at addr, a multiple of 4. Throws as {@link read}. */
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
    return this.#slowLoad(addr);
  }

  /** Writes an integer's low 32 bits at addr, a multiple of 4. Throws as {@link write}. */
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
    this.#slowStore(addr, value);
  }

  /**
   * Faults the page at addr in, as a CPU access would. Returns what that was: FAULT_KIND_*. Throws as {@link read}.
   */
  fault(addr: number, options: { write?: boolean } & AccessOptions = {}): number {
    return faultSync(this, addr, options);
  }

  /** As {@link fault}; waits like {@link readAsync}. */
  async faultAsync(addr: number, options: { write?: boolean } & AccessOptions = {}): Promise<number> {
    return faultAsyncOf(this, addr, options);
  }

  /**
   * get_user_pages: faults npages pages in from addr (a page address) on and takes a reference on each. Returns them;
   * the caller closes the pin. Fewer pages than asked for where a later one failed; throws as {@link read} if the
   * first did, and HmmError EBUSY if options.longTerm has to move a page that cannot be moved.
   */
  pin(addr: number, npages: number, options: PinOptions = {}): Pin {
    return pinPages(this, addr, npages, options);
  }

  // ── accounting ──

  /** Resident pages by kind, device memory included. */
  get rss(): Rss {
    this.check("mm.rss");
    const anon = this.#field(MM_RSS_ANON);
    const file = this.#field(MM_RSS_FILE);
    const shmem = this.#field(MM_RSS_SHMEM);
    return { anon, file, shmem, swap: this.#field(MM_RSS_SWAP), total: anon + file + shmem };
  }

  /** CPU faults that it has taken. */
  get faults(): FaultCounts {
    this.check("mm.faults");
    const total = this.#field(MM_FAULTS);
    const major = this.#field(MM_MAJOR_FAULTS);
    return { minor: total - major, major, total };
  }

  // ── the end ──

  /**
   * exit_mmap: tells the mirrors (update with MMU_NOTIFY_RELEASE, then release) and the interval notifiers, and gives
   * everything back. Its vmas, notifiers and device tables are dead afterwards. Twice: nothing.
   *
   * Throws HmmError EBUSY while a migration of it is open, EDEADLK while mmapSem is held; and what callbacks threw,
   * after it has been closed.
   */
  close(): void {
    if (this.#closed) return;
    const op = "mm.close";
    const { ctx } = this;
    for (const migration of ctx.migrations) {
      if (migration.mm === this) throw new HmmError(EBUSY, op, `migration ${migration.id} is open`);
    }
    ctx.demandNoInvalidation(op);
    if (this.mmapSem.mode !== "free") this.mmapSem.enterWrite(op);
    for (const range of this.ranges) range.invalidate(0, Infinity);
    // The most recently registered one first; a release callback may unregister others.
    for (let mirror = this.#lastMirror(); mirror !== null; mirror = this.#lastMirror()) mirror.release();
    const answer = ctx.run(this.core.mmClose(this.id));
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
    for (const range of this.ranges) range.mm = null;
    this.ranges.length = 0;
    for (const subscriber of this.subscribers) {
      if (subscriber instanceof MmuIntervalNotifier) subscriber.released();
    }
    for (const table of [...ctx.tables.values()]) if (table.mm === this) table.close();
  }

  #lastMirror(): HmmMirror | null {
    for (let i = this.subscribers.length - 1; i >= 0; i--) {
      const subscriber = this.subscribers[i];
      if (subscriber instanceof HmmMirror) return subscriber;
    }
    return null;
  }

  // ── for the other classes ──

  /** @internal The context, unless closed. */
  override check(op: string): Context {
    if (this.#closed) throw new TypeError(`${op}: the mm is closed`);
    return this.ctx;
  }

  /** @internal Whether a mirror is registered. */
  get mirrored(): boolean {
    return this.#lastMirror() !== null;
  }

  /** @internal */
  subscribe(subscriber: Subscriber): void {
    this.subscribers = [...this.subscribers, subscriber];
  }

  /** @internal */
  unsubscribe(subscriber: Subscriber): void {
    this.subscribers = this.subscribers.filter((other) => other !== subscriber);
  }

  /** @internal An invalidation of [start, end). */
  invalidateRanges(start: number, end: number): void {
    for (const range of this.ranges) range.invalidate(start, end);
  }

  #field(offset: number): number {
    return this.ctx.mem.u32(this.#address + offset);
  }

  #slowLoad(addr: number): number {
    return this.#word("mm.load32", addr, 0, false);
  }

  #slowStore(addr: number, value: number): void {
    if (typeof value !== "number") throw badType("mm.store32", "value", "a number", value);
    if (!Number.isInteger(value) || value < -0x80000000 || value > 0xffffffff) {
      throw badRange("mm.store32", "value", "an integer of 32 bits", value);
    }
    this.#word("mm.store32", addr, value, true);
  }

  #word(op: string, addr: number, value: number, write: boolean): number {
    this.check(op);
    checkAddress(op, "addr", addr);
    if (roundDown(addr, 4) !== addr) throw badRange(op, "addr", "a multiple of 4", addr);
    return accessWord(this, op, addr, value, write);
  }
}

/** @internal The context of an mm. Throws TypeError for anything else, and for a closed one. */
export function checkMm(op: string, mm: unknown): Context {
  if (!(mm instanceof Mm)) throw badType(op, "mm", "an Mm", mm);
  return mm.check(op);
}
