/** Counts the accesses of records by the named range that they touch, at the core's speed. */
import {
  INTERVAL_BYTES,
  INTERVAL_COUNTS,
  INTERVAL_START,
  RANGE_COUNTS,
} from "../../assembly/abi/interval.ts";
import { RECORD_SIZE_SHIFT } from "../../assembly/abi/record.ts";
import { contextOf, type Context } from "../engine/context.ts";
import type { Forward } from "../engine/forward.ts";
import { putPlaces, type PeerDevice } from "./peer-counts.ts";
import type { RecordArray } from "./replay.ts";

/** The bytes from `start` to before `end`, which belong to the range with this number. */
export interface Interval {
  start: number;
  end: number;
  range: number;
}

const HIGH = 2 ** 32;
const COUNTS_BYTES = 8 * RANGE_COUNTS;
/** The first address that no record can have. */
const END = 2 ** RECORD_SIZE_SHIFT;

/**
 * Named ranges in an engine's linear memory, and how often each was accessed. What has no name is a range,
 * too, the last one. The caller closes the table.
 *
 * The arena has the counts first, then the intervals (count-ranges.ts draws one).
 */
export class RangeTable {
  readonly #ctx: Context;
  readonly #counts: number;
  readonly #intervals: number;
  #n = 0;

  /**
   * Takes intervals in the order of their addresses, which do not overlap, of ranges 0 to before `ranges`.
   * Throws HmmError ENOMEM if the arena has no room.
   */
  constructor(hmm: Forward["Hmm"], intervals: readonly Interval[], ranges: number) {
    const op = "new RangeTable";
    this.#ctx = contextOf(op, hmm);
    const room = COUNTS_BYTES * (ranges + 1) + INTERVAL_BYTES * (2 * intervals.length + 2);
    this.#counts = this.#ctx.allocOwn(op, room);
    this.#intervals = this.#counts + COUNTS_BYTES * (ranges + 1);
    let end = 0;
    for (const interval of intervals) {
      if (interval.start >= END) break;
      if (end < interval.start) this.#add(end, ranges);
      this.#add(interval.start, interval.range);
      end = interval.end;
    }
    if (end < END) this.#add(end, ranges);
    this.#write(this.#n, END, ranges);
  }

  /** Counts records [at, n) by the range that their first byte lies in. Fetches and marks are not counted. */
  count(records: RecordArray, at: number, n: number): void {
    this.#ctx.core.replayCountRanges(records.byteOffset, at, n, this.#intervals, this.#n);
  }

  /**
   * Counts the accesses of devices, agents 1 and so on, among records [at, n) to memory that is not their
   * own. The records were replayed since the devices' tables last changed.
   */
  countRemote(records: RecordArray, at: number, n: number, devices: readonly PeerDevice[]): void {
    const { core } = this.#ctx;
    const restore = putPlaces(this.#ctx, devices, 0).restore;
    core.replayCountRemote(devices.length + 1, records.byteOffset, at, n, this.#intervals, this.#n);
    restore();
  }

  /**
   * Returns how often a range was accessed: loads, stores and modifies by the CPU (at 0, 1, 2) and by the
   * devices (at 4, 5, 6); and the devices' loads and stores of RAM (at 8, 9), and of other devices' memory
   * (at 10, 11).
   */
  counts(range: number): number[] {
    const address = this.#counts + COUNTS_BYTES * range;
    return Array.from({ length: RANGE_COUNTS }, (_, i) => this.#ctx.mem.u64(address + 8 * i));
  }

  /** Sets all counts to 0. */
  clear(): void {
    this.#ctx.mem.bytes.fill(0, this.#counts, this.#intervals);
  }

  /** Gives the memory back. */
  close(): void {
    this.#ctx.core.arenaFree(this.#counts);
  }

  #add(start: number, range: number): void {
    this.#write(this.#n++, start, range);
  }

  #write(index: number, start: number, range: number): void {
    const { mem } = this.#ctx;
    const at = this.#intervals + INTERVAL_BYTES * index;
    mem.setU32(at + INTERVAL_START, start % HIGH);
    mem.setU32(at + INTERVAL_START + 4, Math.floor(start / HIGH));
    mem.setU32(at + INTERVAL_COUNTS, this.#counts + COUNTS_BYTES * range);
  }
}
