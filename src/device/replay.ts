/**
 * Replays recorded accesses at the core's speed: records lie in an array in linear memory, and `replay` runs
 * them until one of them needs a decision. The core also lists the devices' pages by how recently they were
 * used, for eviction.
 */
import { EINVAL } from "../../assembly/uapi/errno.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { XBUF_SIZE } from "../../assembly/abi/argument.ts";
import {
  HDR_DEVICE_FRAMES,
  HDR_FAULT_ADDR,
  HDR_FAULT_CODE,
  HDR_RAM_LOADS,
  HDR_RAM_STORES,
  HDR_RESULT,
  HDR_USE_END,
  HDR_USE_FIRST,
  HDR_USE_LOG,
  HDR_USE_NEXT,
  HDR_USE_STAMPS,
  HDR_USES,
} from "../../assembly/abi/header.ts";
import {
  RECORD_BYTES,
  REPLAY_AGENTS_MAX,
  REPLAY_CPU_FAULT,
  REPLAY_DEVICE_FAULT,
  REPLAY_DONE,
  REPLAY_MARK,
  REPLAY_NO_VMA,
  REPLAY_USES_FULL,
} from "../../assembly/abi/record.ts";
import { contextOf, type Context } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import { badType, checkInteger, HmmError } from "../engine/errors.ts";
import type { Forward } from "../engine/forward.ts";
import type { Mm } from "../space/mm.ts";
import { DeviceTable } from "./device-table.ts";
import { HmmDevmem } from "./devmem.ts";
import type { DemandPaging } from "./paging.ts";

/**
 * What stopped a replay: the end, unmapped memory, a CPU fault, a device fault, a mark in the trace, a full
 * log of uses.
 */
export type ReplayReason = "done" | "no-vma" | "cpu-fault" | "device-fault" | "mark" | "uses";

/**
 * Places of the log of uses, beside two for each frame: the core tidies the log when it is full, which must
 * be rare.
 */
const LOG_PLACES_MIN = 1 << 14;
/** Words that replayCount writes. */
const COUNTS = 8;
/** Elements of the array that a record takes. */
const WORDS = RECORD_BYTES / BigUint64Array.BYTES_PER_ELEMENT;

const REASONS: Record<number, ReplayReason> = {
  [REPLAY_DONE]: "done",
  [REPLAY_NO_VMA]: "no-vma",
  [REPLAY_CPU_FAULT]: "cpu-fault",
  [REPLAY_DEVICE_FAULT]: "device-fault",
  [REPLAY_MARK]: "mark",
  [REPLAY_USES_FULL]: "uses",
};

/** Where a replay stopped, and why. */
export interface ReplayStop {
  reason: ReplayReason;
  /** The record that it stopped at; n if it ran them all. */
  at: number;
  /** The page that this record needs; 0 if no access stopped it. */
  address: number;
  /** Whether the record writes it. */
  write: boolean;
  /** Loads and stores of system memory that the device made before, a modify being both. */
  ramLoads: number;
  ramStores: number;
}

/**
 * The devices' uses of their own memory, in the order in which a replay makes them, for policies that must
 * hear of each. An element is the page's frame, counted from the first frame of device memory on, times 2,
 * plus 1 for a write. While uses are logged, {@link oldestPages} does not hear of them. The caller closes it.
 */
export class UseLog extends Uint32Array {
  /** How many uses the last replay wrote. */
  used = 0;
  #ctx: Context | null;

  /** Allocates room for n uses, at least 64. Throws HmmError ENOMEM if the arena has none. */
  constructor(hmm: Forward["Hmm"], n: number) {
    const op = "new UseLog";
    const ctx = contextOf(op, hmm);
    super(ctx.mem.buffer, ctx.alloc(op, 4 * checkInteger(op, "n", n, 64, 2 ** 27)), n);
    this.#ctx = ctx;
  }

  static get [Symbol.species](): Uint32ArrayConstructor {
    return Uint32Array;
  }

  /** @internal Returns where the core writes. */
  room(op: string): [from: number, to: number] {
    if (this.#ctx === null) throw new TypeError(`${op}: the log is closed`);
    return [this.byteOffset, this.byteOffset + this.byteLength];
  }

  /** Gives the memory back. Idempotent. */
  close(): void {
    this.#ctx?.core.arenaFree(this.byteOffset);
    this.#ctx = null;
  }

  [dispose](): void {
    this.close();
  }
}

/** Records (RECORD_*, two words each) in an engine's linear memory. The caller closes it. */
export class RecordArray extends BigUint64Array {
  #ctx: Context | null;

  /** Allocates room for n records, at most 2^27. Throws HmmError ENOMEM if the arena has none. */
  constructor(hmm: Forward["Hmm"], n: number) {
    const op = "new RecordArray";
    const ctx = contextOf(op, hmm);
    super(ctx.mem.buffer, ctx.alloc(op, RECORD_BYTES * checkInteger(op, "n", n, 1, 2 ** 27)), WORDS * n);
    this.#ctx = ctx;
  }

  static get [Symbol.species](): BigUint64ArrayConstructor {
    return BigUint64Array;
  }

  /**
   * Makes the accesses of records [at, n) in `mm`: translates each page that they touch and marks it as used,
   * without moving data. Agent i goes through `tables[i]`, where null is the page table of `mm`; agent 0 is
   * the CPU, and agents beyond the last table go through the last one. Stops at the first record that cannot
   * be made; after serving the reason, call again from there, and the record starts over. Also stops at each
   * mark, after which the caller goes on, and where `uses`, which is overwritten, has no room left.
   * @param paging serves the faults of one device, as many as it can; `room` pages may come before one leaves
   */
  replay(
    mm: Mm,
    tables: readonly (DeviceTable | null)[],
    at: number,
    n: number,
    uses: UseLog | null = null,
    paging: { by: DemandPaging; room: number } | null = null,
  ): ReplayStop {
    const op = "recordArray.replay";
    if (this.#ctx === null) throw new TypeError(`${op}: the array is closed`);
    const { core, mem } = mm.check(op);
    if (mem !== this.#ctx.mem) throw new TypeError(`${op}: mm belongs to another Hmm`);
    checkInteger(op, "tables.length", tables.length, 1, REPLAY_AGENTS_MAX);
    checkInteger(op, "n", n, 0, this.length / WORDS);
    checkInteger(op, "at", at, 0, n);
    const { address, restore } = this.#ctx.exchange(XBUF_SIZE);
    for (let agent = 0; agent < tables.length; agent++) {
      const table = tables[agent];
      if (table !== null && !(table instanceof DeviceTable))
        throw badType(op, `tables[${agent}]`, "a DeviceTable or null", table);
      mem.words[address / 4 + agent] = table === null ? 0 : table.id;
    }
    const [from, to] = uses === null ? [0, 0] : uses.room(op);
    const reason =
      REASONS[
        paging === null
          ? core.replay(mm.id, tables.length, this.byteOffset, at, n, from, to)
          : paging.by.replay(mm, this.byteOffset, [at, n], paging.room)
      ];
    restore();
    if (uses !== null) uses.used = mem.header(HDR_USES);
    const stopped = reason !== "done" && reason !== "mark" && reason !== "uses";
    return {
      reason,
      at: mem.headerF64(HDR_RESULT),
      address: stopped ? mem.headerF64(HDR_FAULT_ADDR) : 0,
      write: stopped && mem.header(HDR_FAULT_CODE) !== 0,
      ramLoads: mem.header(HDR_RAM_LOADS),
      ramStores: mem.header(HDR_RAM_STORES),
    };
  }

  /**
   * Counts records [at, n): loads, stores and modifies by the CPU (at 0, 1, 2) and by the devices (at 4, 5,
   * 6). Fetches and marks are not counted.
   */
  count(at: number, n: number): Uint32Array {
    const op = "recordArray.count";
    if (this.#ctx === null) throw new TypeError(`${op}: the array is closed`);
    checkInteger(op, "n", n, 0, this.length / WORDS);
    checkInteger(op, "at", at, 0, n);
    const { core, mem } = this.#ctx;
    const { address, restore } = this.#ctx.exchange(COUNTS * 4);
    core.replayCount(this.byteOffset, at, n);
    const counts = mem.words.slice(address / 4, address / 4 + COUNTS);
    restore();
    return counts;
  }

  /** Gives the memory back. Idempotent. */
  close(): void {
    this.#ctx?.core.arenaFree(this.byteOffset);
    this.#ctx = null;
  }

  [dispose](): void {
    this.close();
  }
}

/**
 * Makes the engine list the devices' pages by how recently replays used them, for {@link oldestPages}. This
 * takes 12 bytes of the arena for each device frame and 64 KiB, until the engine is closed. Idempotent.
 * Throws HmmError ENOMEM if the arena has no room.
 */
export function trackUse(hmm: Forward["Hmm"]): void {
  const op = "trackUse";
  const ctx = contextOf(op, hmm);
  const { mem } = ctx;
  if (mem.header(HDR_USE_STAMPS) !== 0) return;
  const frames = mem.header(HDR_DEVICE_FRAMES);
  const places = 2 * frames + LOG_PLACES_MIN;
  const stamps = ctx.allocOwn(op, 4 * (frames + places));
  mem.setHeader(HDR_USE_STAMPS, stamps);
  mem.setHeader(HDR_USE_LOG, stamps + 4 * frames);
  mem.setHeader(HDR_USE_FIRST, 1);
  mem.setHeader(HDR_USE_NEXT, 1);
  mem.setHeader(HDR_USE_END, places);
}

/**
 * Returns where `mm` maps the page of `devmem` that the device used longest ago; -1 if there is none. Throws
 * as {@link oldestPages} does, which this is the short form of.
 */
export function oldestPage(mm: Mm, devmem: HmmDevmem): number {
  const op = "oldestPage";
  const { core, mem } = devmem.check(op);
  const { restore } = mm.check(op).exchange(XBUF_SIZE);
  const n = core.replayOldest(mm.id, devmem.zone, 1);
  restore();
  if (n === -EINVAL) throw notTracked(op);
  return n === 0 ? -1 : mem.headerF64(HDR_RESULT);
}

/**
 * Returns where `mm` maps the pages of `devmem` that the device used longest ago: at most `max` addresses,
 * the oldest first. Throws HmmError EINVAL unless {@link trackUse} was called.
 */
export function oldestPages(mm: Mm, devmem: HmmDevmem, max: number): number[] {
  const op = "oldestPages";
  if (!(devmem instanceof HmmDevmem)) throw badType(op, "devmem", "a HmmDevmem", devmem);
  checkInteger(op, "max", max, 1, XBUF_SIZE / 16);
  const { core, mem } = devmem.check(op);
  const { address, restore } = mm.check(op).exchange(XBUF_SIZE);
  const n = core.replayOldest(mm.id, devmem.zone, max);
  if (n === -EINVAL) throw notTracked(op);
  // max pfns (u32) come first, then the addresses in pages (f64).
  const first = Math.ceil((address + 4 * max) / 8) * 8;
  const addresses: number[] = [];
  for (let i = 0; i < n; i++) addresses.push(mem.f64(first + 8 * i) * PAGE_SIZE);
  restore();
  return addresses;
}

function notTracked(op: string): HmmError {
  return new HmmError(EINVAL, op, "the engine does not list pages by their use: call trackUse(hmm) first");
}
