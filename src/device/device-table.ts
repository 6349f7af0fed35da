import { EINVAL } from "../../assembly/uapi/errno.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { PFN_MASK } from "../../assembly/uapi/pfn.ts";
import { PTE_DIRTY, PTE_YOUNG } from "../../assembly/uapi/pte.ts";
import { XBUF_SIZE } from "../../assembly/abi/argument.ts";
import { DEVICE_TABLE_ENTRIES } from "../../assembly/abi/object.ts";
import { RESOURCE_DEVICE_TABLE } from "../../assembly/abi/pool.ts";
import { contextOf, type Context } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import {
  ADDRESS_LIMIT,
  badRange,
  badType,
  checkAddress,
  checkInteger,
  checkOptions,
  checkPageAddress,
  checkPageRange,
  show,
} from "../engine/errors.ts";
import type { Forward } from "../engine/forward.ts";
import { inspect, line } from "../engine/inspect.ts";
import { Migration } from "../migrate/migration.ts";
import { checkPfns, pfnAddress, withPfns } from "../page/arrays.ts";
import { hmmPfnValid } from "../page/words.ts";
import { checkMm, Mm } from "../space/mm.ts";
import { translateBatch } from "../space/translate.ts";

/**
 * A device's own page table, in the core: the CPU's walker under another root. It holds no references on
 * pages. The driver keeps it true: it drops entries when its mirror or notifier is told to. `hmm.verify()`
 * checks a table that was made for an mm against the CPU's page table. Entries are words: VALID, WRITE,
 * DEVICE_PFN_DIRTY (the device wrote through the entry since it was mapped), and the page. Every method
 * throws TypeError after close().
 */
export class DeviceTable {
  /** The mm that it mirrors, or null. */
  readonly mm: Mm | null;
  /** @internal The core's number of the table. */
  readonly id: number;
  readonly #ctx: Context;
  #closed = false;

  /**
   * @param of the mm that it mirrors, or an Hmm: then the table is checked against nothing. The caller closes
   * the table; closing the mm closes it too.
   *
   * Throws TypeError for any other value, HmmError ENOMEM if no device table or page table is left.
   */
  constructor(of: Mm | Forward["Hmm"], options: { /** @internal */ restored?: number | undefined } = {}) {
    const op = "new DeviceTable";
    this.mm = of instanceof Mm ? of : null;
    this.#ctx = of instanceof Mm ? checkMm(op, of) : contextOf(op, of, "of", "an Mm or an Hmm");
    this.id = options.restored ?? this.#ctx.finish(op, this.#ctx.core.deviceTableCreate(this.mm?.id ?? 0));
    this.#ctx.deviceTables.set(this.id, this);
  }

  /** How many entries it holds. */
  get entries(): number {
    const ctx = this.#check("deviceTable.entries");
    return ctx.mem.u32(ctx.mem.objectAddress(RESOURCE_DEVICE_TABLE, this.id) + DEVICE_TABLE_ENTRIES);
  }

  /** Whether it is closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Enters the page of pfns[i] for the address start + i * PAGE_SIZE, for each slot that is VALID, writable
   * where the slot has WRITE; other entries stay as they are. Returns how many entries it made.
   * @param n how many slots. Default: all of pfns
   *
   * Throws RangeError and TypeError, HmmError EINVAL if a slot names no page, ENOMEM if no page table is left
   * (entries that were made before stay).
   */
  map(
    start: number,
    pfns: Uint32Array,
    n: number = checkPfns("deviceTable.map", "pfns", pfns, 0).length,
  ): number {
    const op = "deviceTable.map";
    const ctx = this.#check(op);
    checkPageAddress(op, "start", start);
    checkInteger(op, "n", n, 0, (ADDRESS_LIMIT - start) / PAGE_SIZE);
    checkPfns(op, "pfns", pfns, n);
    if (n === 0) return 0;
    const address = pfnAddress(ctx, pfns);
    const answer =
      address === 0 ? this.#mapCopy(op, start, pfns, n) : ctx.core.deviceTableMap(this.id, start, address, n);
    if (answer !== -EINVAL) return ctx.finish(op, answer);
    const at = pfns.findIndex((word) => hmmPfnValid(word) && ctx.core.pageZone(word & PFN_MASK) < 0);
    return ctx.abort(ctx.error(op, EINVAL, `pfns[${at}] must name a page, got ${show(pfns[at])}`));
  }

  /**
   * Enters what a migration has moved to device memory, and drops the entries of what has left it. Call it
   * after `m.pages()` and before `m.finalize()`. Returns how many entries it made. Throws as {@link map}, and
   * TypeError before m.pages() or for a migration of another mm.
   */
  mapMigrated(m: Migration): number {
    const op = "deviceTable.mapMigrated";
    const ctx = this.#check(op);
    if (!(m instanceof Migration)) throw badType(op, "m", "a Migration", m);
    m.check(op, ctx);
    if (m.mm === null || (this.mm !== null && m.mm !== this.mm))
      throw new TypeError(
        `${op}: m must be a migration of the table's mm, and it is of another mm or of none`,
      );
    const answer = ctx.core.deviceTableMapMigrated(this.id, m.id);
    if (answer === -EINVAL) throw new TypeError(`${op}: m must have had its pages(), and it has not`);
    return ctx.finish(op, answer);
  }

  /**
   * Drops the entries of [start, end), page addresses, as an update or invalidate callback does. Returns how
   * many there were. Throws RangeError and TypeError.
   */
  clear(start: number, end: number): number {
    const op = "deviceTable.clear";
    const ctx = this.#check(op);
    checkPageRange(op, start, end);
    return ctx.finish(op, ctx.core.deviceTableClear(this.id, start, end));
  }

  /**
   * Takes the right to write from the entries of [start, end), page addresses. Returns how many entries lost
   * it. Throws RangeError and TypeError.
   */
  protect(start: number, end: number): number {
    const op = "deviceTable.protect";
    const ctx = this.#check(op);
    checkPageRange(op, start, end);
    return ctx.finish(op, ctx.core.deviceTableProtect(this.id, start, end));
  }

  /** Returns the entry of the page that holds addr: VALID | WRITE | DEVICE_PFN_DIRTY | page, or 0. */
  lookup(addr: number): number {
    const op = "deviceTable.lookup";
    const ctx = this.#check(op);
    return ctx.core.deviceTableLookup(this.id, checkAddress(op, "addr", addr)) >>> 0;
  }

  /**
   * Writes the entries of many addresses to `out`, a word each as {@link lookup} returns it, 0 where the
   * device would fault. Copies nothing if both arrays are the engine's (hmm.addressArray, hmm.pfnArray).
   * Returns how many words are not 0.
   * @param options.access what the device does with the pages: "read" makes their entries accessed; "write"
   * makes them accessed and dirty, and gives 0 for an entry without the right to write. Default: it only
   * looks
   *
   * Throws RangeError if out is shorter than addresses, or for an address from 2^48 on; TypeError.
   */
  translateBatch(
    addresses: Float64Array,
    out: Uint32Array,
    options: { access?: "read" | "write" | undefined } = {},
  ): number {
    const op = "deviceTable.translateBatch";
    const ctx = this.#check(op);
    checkOptions(op, "options", options);
    const { access } = options;
    if (access !== undefined && access !== "read" && access !== "write")
      throw badRange(op, "options.access", '"read" or "write"', access);
    const used = access === undefined ? 0 : access === "read" ? PTE_YOUNG : PTE_YOUNG | PTE_DIRTY;
    return translateBatch(ctx, op, addresses, out, (from, n, to) =>
      ctx.core.addressesBelow48(from, n) < n
        ? -EINVAL
        : ctx.core.deviceTableTranslate(this.id, from, n, to, used),
    );
  }

  /**
   * Returns a byte for each of n pages from `start` (a page address) on: 1 if the device has accessed the
   * page since its entry was made or its accessed bit cleared, else 0. {@link read}, {@link write},
   * {@link translateBatch} and replays set the bit. Throws RangeError and TypeError.
   */
  accessed(start: number, n: number): Uint8Array {
    const op = "deviceTable.accessed";
    const ctx = this.#check(op);
    checkPageAddress(op, "start", start);
    checkInteger(op, "n", n, 0, Math.min((ADDRESS_LIMIT - start) / PAGE_SIZE, 2 ** 28));
    if (n === 0) return new Uint8Array(0);
    return ctx.withScratch(op, n, (out) => {
      ctx.finish(op, ctx.core.deviceTableAccessed(this.id, start, n, out));
      return ctx.mem.bytes.slice(out, out + n);
    });
  }

  /**
   * Clears the accessed bits of [start, end), page addresses. Returns how many were set. Throws RangeError
   * and TypeError.
   */
  clearAccessed(start: number, end: number): number {
    const op = "deviceTable.clearAccessed";
    const ctx = this.#check(op);
    checkPageRange(op, start, end);
    return ctx.finish(op, ctx.core.deviceTableClearAccessed(this.id, start, end));
  }

  /**
   * Copies the entries of n pages from `start` (a page address) on into `out`, by default a new array.
   * Returns the array. Throws RangeError and TypeError.
   */
  snapshot(start: number, n: number, out?: Uint32Array): Uint32Array {
    const op = "deviceTable.snapshot";
    const ctx = this.#check(op);
    checkPageAddress(op, "start", start);
    checkInteger(op, "n", n, 0, (ADDRESS_LIMIT - start) / PAGE_SIZE);
    if (out === undefined) out = new Uint32Array(n);
    checkPfns(op, "out", out, n);
    if (n === 0) return out;
    const answer = withPfns(ctx, op, out, n, "inout", (address) =>
      ctx.core.deviceTableSnapshot(this.id, start, n, address),
    );
    ctx.finish(op, answer);
    return out;
  }

  /**
   * Reads through the table as the device does, from addr on into `bytes`, up to the first page without an
   * entry. Returns how many bytes it read: if fewer than bytes.length, the page at addr plus that number has
   * to be faulted in.
   */
  read(addr: number, bytes: Uint8Array): number {
    return this.#access("deviceTable.read", addr, bytes, false);
  }

  /** Writes through the table as {@link read} reads, up to the first page without a writable entry. */
  write(addr: number, bytes: Uint8Array): number {
    return this.#access("deviceTable.write", addr, bytes, true);
  }

  /** Gives the table back to the engine. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ctx.deviceTables.delete(this.id);
    this.#ctx.finish("deviceTable.close", this.#ctx.core.deviceTableClose(this.id));
  }

  [dispose](): void {
    this.close();
  }

  /** @internal */
  [inspect](): string {
    return line(`DeviceTable ${this.id}`, this.#closed && "closed", () => [
      this.mm !== null && `mm ${this.mm.id}`,
      this.entries === 1 ? "1 entry" : `${this.entries} entries`,
    ]);
  }

  /** Maps the slots of an array outside of the engine's memory. */
  #mapCopy(op: string, start: number, pfns: Uint32Array, n: number): number {
    const ctx = this.#ctx;
    return withPfns(ctx, op, pfns, n, "in", (copy) => ctx.core.deviceTableMap(this.id, start, copy, n));
  }

  #access(op: string, addr: number, bytes: Uint8Array, write: boolean): number {
    const ctx = this.#check(op);
    checkAddress(op, "addr", addr);
    if (!(bytes instanceof Uint8Array)) throw badType(op, "bytes", "a Uint8Array", bytes);
    if (addr + bytes.length > ADDRESS_LIMIT)
      throw badRange(op, "bytes", "such that the range ends below 2^48", bytes.length);
    const { address, restore } = ctx.exchange(Math.min(bytes.length, XBUF_SIZE));
    const memory = ctx.mem.bytes;
    let done = 0;
    let answer = 0;
    while (done < bytes.length) {
      const n = Math.min(bytes.length - done, XBUF_SIZE);
      if (write) memory.set(bytes.subarray(done, done + n), address);
      answer = ctx.core.deviceTableAccess(this.id, addr + done, n, write ? 1 : 0);
      if (answer > 0 && !write) bytes.set(memory.subarray(address, address + answer), done);
      if (answer > 0) done += answer;
      if (answer !== n) break;
    }
    restore();
    ctx.finish(op, Math.min(answer, 0));
    return done;
  }

  #check(op: string): Context {
    if (this.#closed) throw new TypeError(`${op}: the device table is closed`);
    return this.#ctx;
  }
}
