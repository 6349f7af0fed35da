/** Counts the devices' accesses by thread, at the core's speed. */
import { RECORD_THREAD_SHIFT } from "../../assembly/abi/record.ts";
import { contextOf, type Context } from "../engine/context.ts";
import type { Forward } from "../engine/forward.ts";
import type { RecordArray } from "./replay.ts";

/** Threads that a record can name. */
export const THREADS = 2 ** (32 - RECORD_THREAD_SHIFT);

/** A number for each thread, in an engine's linear memory. The caller closes it. */
export class ThreadCounts extends Uint32Array {
  #ctx: Context | null;

  /** All numbers are 0. Throws HmmError ENOMEM if the arena has no room for them. */
  constructor(hmm: Forward["Hmm"]) {
    const op = "new ThreadCounts";
    const ctx = contextOf(op, hmm);
    super(ctx.mem.buffer, ctx.alloc(op, 4 * THREADS), THREADS);
    this.#ctx = ctx;
  }

  static get [Symbol.species](): Uint32ArrayConstructor {
    return Uint32Array;
  }

  /** Adds the devices' accesses of records [at, n), which have no marks. Instructions are not counted. */
  count(records: RecordArray, at: number, n: number): void {
    this.#ctx?.core.replayCountThreads(records.byteOffset, at, n, this.byteOffset);
  }

  /** Gives the memory back. Idempotent. */
  close(): void {
    this.#ctx?.core.arenaFree(this.byteOffset);
    this.#ctx = null;
  }
}
