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
  HDR_LRU,
  HDR_RAM_LOADS,
  HDR_RAM_STORES,
  HDR_RESULT,
} from "../../assembly/abi/header.ts";
import {
  RECORD_BYTES,
  REPLAY_CPU_FAULT,
  REPLAY_DEVICE_FAULT,
  REPLAY_DONE,
  REPLAY_MARK,
  REPLAY_NO_VMA,
} from "../../assembly/abi/record.ts";
import { contextOf, type Context } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import { badType, checkInteger, HmmError } from "../engine/errors.ts";
import type { Forward } from "../engine/forward.ts";
import type { Mm } from "../space/mm.ts";
import { DeviceTable } from "./device-table.ts";
import { HmmDevmem } from "./devmem.ts";

/** What stopped a replay: the end, unmapped memory, a CPU fault, a device fault, a mark in the trace. */
export type ReplayReason = "done" | "no-vma" | "cpu-fault" | "device-fault" | "mark";

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
};

/** Where a replay stopped, and why. */
export interface ReplayStop {
  reason: ReplayReason;
  /** The record that it stopped at; n if it ran them all. */
  at: number;
  /** The page that this record needs; 0 if it ran them all, and at a mark. */
  address: number;
  /** Whether the record writes it. */
  write: boolean;
  /** Loads and stores of system memory that the device made before, a modify being both. */
  ramLoads: number;
  ramStores: number;
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
   * Makes the accesses of records [at, n) in `mm`, those of the device through `table`: translates each page
   * that they touch and marks it as used, without moving data. Stops at the first record that cannot be made;
   * after serving the reason, call again from there, and the record starts over. Also stops at each mark; go
   * on after it.
   */
  replay(mm: Mm, table: DeviceTable | null, at: number, n: number): ReplayStop {
    const op = "recordArray.replay";
    if (this.#ctx === null) throw new TypeError(`${op}: the array is closed`);
    const { core, mem } = mm.check(op);
    if (mem !== this.#ctx.mem) throw new TypeError(`${op}: mm belongs to another Hmm`);
    if (table !== null && !(table instanceof DeviceTable)) throw badType(op, "table", "a DeviceTable", table);
    checkInteger(op, "n", n, 0, this.length / WORDS);
    checkInteger(op, "at", at, 0, n);
    const reason = REASONS[core.replay(mm.id, table?.id ?? 0, this.byteOffset, at, n)];
    const stopped = reason !== "done" && reason !== "mark";
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
 * Makes the engine list the devices' pages by how recently replays used them, for {@link oldestPages}. The
 * list takes 8 bytes of the arena for each device frame, until the engine is closed. Idempotent. Throws
 * HmmError ENOMEM if the arena has no room.
 */
export function trackUse(hmm: Forward["Hmm"]): void {
  const op = "trackUse";
  const ctx = contextOf(op, hmm);
  const { mem } = ctx;
  if (mem.header(HDR_LRU) === 0) mem.setHeader(HDR_LRU, ctx.allocOwn(op, 8 * mem.header(HDR_DEVICE_FRAMES)));
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
  if (n === -EINVAL)
    throw new HmmError(EINVAL, op, "the engine does not list pages by their use: call trackUse(hmm) first");
  // max pfns (u32) come first, then the addresses in pages (f64).
  const first = Math.ceil((address + 4 * max) / 8) * 8;
  const addresses = Array.from({ length: n }, (_, i) => mem.f64(first + 8 * i) * PAGE_SIZE);
  restore();
  return addresses;
}
