import { EINVAL } from "../../assembly/uapi/errno.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { PFN_MASK } from "../../assembly/uapi/pfn.ts";
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
  checkPageAddress,
  checkPageRange,
  show,
} from "../engine/errors.ts";
import type { Hmm } from "../hmm.ts";
import { Migration } from "../migrate/migration.ts";
import { checkMm, Mm } from "../space/mm.ts";
import { checkPfns, hmmPfnValid, withPfns } from "./pages.ts";

/** What one map() works on. */
interface MapCall {
  ctx: Context;
  table: number;
  start: number;
  n: number;
}

const mapAt = (address: number, { ctx, table, start, n }: MapCall): number =>
  ctx.core.deviceTableMap(table, start, address, n);

/**
 * A device's own page table, in the core: the same walker as the CPU's, another root. It holds no reference on pages;
 * what keeps it true is the driver, which drops entries when the mirror is told to. Made for an mm, `hmm.verify()`
 * checks it against the CPU's table. Entries are hmm_pfn words: VALID, WRITE, page.
 */
export class DeviceTable {
  /** The mm that it mirrors, or null. */
  readonly mm: Mm | null;
  /** @internal */
  readonly table: number;
  readonly #ctx: Context;
  #closed = false;

  /**
   * @param of the mm that it mirrors, or an Hmm: then it is checked against nothing. Closed with its mm.
   *
   * Throws TypeError for anything else, HmmError ENOMEM if no device table or page table is left.
   */
  constructor(of: Mm | Hmm, options: { /** @internal */ restored?: number } = {}) {
    const op = "new DeviceTable";
    this.mm = of instanceof Mm ? of : null;
    this.#ctx = of instanceof Mm ? checkMm(op, of) : contextOf(op, of, "of", "an Mm or an Hmm");
    this.table = options.restored ?? this.#ctx.finish(op, this.#ctx.core.deviceTableCreate(this.mm?.id ?? 0));
    this.#ctx.tables.set(this.table, this);
  }

  /** Entries that it holds. */
  get entries(): number {
    const ctx = this.#check("deviceTable.entries");
    return ctx.mem.u32(ctx.mem.objectAddress(RESOURCE_DEVICE_TABLE, this.table) + DEVICE_TABLE_ENTRIES);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Maps page start/PAGE_SIZE + i to the page of pfns[i], for the slots that are VALID (writable where they have
   * WRITE); other entries stay as they are. Returns the number of slots mapped.
   * @param n slots; all of pfns by default
   *
   * Throws RangeError, TypeError, and HmmError ENOMEM if no page table is left (what was mapped before stays).
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
    const answer = withPfns(ctx, op, pfns, n, "in", mapAt, { ctx, table: this.table, start, n });
    if (answer !== -EINVAL) return ctx.finish(op, answer);
    const at = pfns.findIndex((word) => hmmPfnValid(word) && ctx.core.pageZone(word & PFN_MASK) < 0);
    return ctx.abort(ctx.error(op, EINVAL, `pfns[${at}] must name a page, got ${show(pfns[at])}`));
  }

  /**
   * After `m.pages()` and before `m.finalize()`: maps what has migrated to device memory, and drops the entries of
   * what has left it. Returns the number of entries mapped. Throws as {@link map}.
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
    const answer = ctx.core.deviceTableMapMigrated(this.table, m.id);
    if (answer === -EINVAL) throw new TypeError(`${op}: m must have had its pages(), and it has not`);
    return ctx.finish(op, answer);
  }

  /** Drops the entries of [start, end), page addresses. Returns how many there were. What an update callback calls. */
  clear(start: number, end: number): number {
    const op = "deviceTable.clear";
    const ctx = this.#check(op);
    checkPageRange(op, start, end);
    return ctx.finish(op, ctx.core.deviceTableClear(this.table, start, end));
  }

  /** Takes the right to write from the entries of [start, end), page addresses. Returns how many lost it. */
  protect(start: number, end: number): number {
    const op = "deviceTable.protect";
    const ctx = this.#check(op);
    checkPageRange(op, start, end);
    return ctx.finish(op, ctx.core.deviceTableProtect(this.table, start, end));
  }

  /** The entry of the page that holds addr: VALID | WRITE | page, 0 if there is none. */
  lookup(addr: number): number {
    const ctx = this.#check("deviceTable.lookup");
    return ctx.core.deviceTableLookup(this.table, checkAddress("deviceTable.lookup", "addr", addr)) >>> 0;
  }

  /**
   * The entries of n pages from `start` (a page address) on, into `out` (a new array by default). Returns the array.
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
      ctx.core.deviceTableSnapshot(this.table, start, n, address),
    );
    ctx.finish(op, answer);
    return out;
  }

  /**
   * Reads device memory and system memory as the device would: from addr on into bytes, up to the first page without
   * an entry. Returns the bytes read; fewer than bytes.length: the page at addr + that has to be faulted in.
   */
  read(addr: number, bytes: Uint8Array): number {
    return this.#access("deviceTable.read", addr, bytes, false);
  }

  /** As {@link read}, the other way: stops at the first page without a writable entry. Returns the bytes written. */
  write(addr: number, bytes: Uint8Array): number {
    return this.#access("deviceTable.write", addr, bytes, true);
  }

  /** Gives the table and its page tables back. Twice: nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ctx.tables.delete(this.table);
    this.#ctx.finish("deviceTable.close", this.#ctx.core.deviceTableDestroy(this.table));
  }

  [dispose](): void {
    this.close();
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
      answer = ctx.core.deviceTableAccess(this.table, addr + done, n, write ? 1 : 0);
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
