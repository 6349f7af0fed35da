/**
 * Sorts the records of a device's threads into warps. Threads 32 k to 32 k + 31 are warp k. They run in
 * lockstep by record number: the n-th records of a warp's threads are one instruction.
 */
import { RECORD_THREAD_SHIFT } from "../../../assembly/abi/record.ts";
import { WarpSchedule } from "./warps.ts";

/** 32-bit words of a record. */
const WORDS = 4;
/** Threads of a warp. */
const LANES = 32;
const THREADS = 1 << 16;
const WARPS = THREADS / LANES;
/** Numbers the records of threads, and sorts them into warps. */
export class WarpScheduler {
  /** By thread: the number of its next record. */
  #next = new Uint32Array(THREADS);
  /** The records' indices by warp, number and lane; by record, its number; and a copy of a warp's indices. */
  #order = new Uint32Array(0);
  #numbers = new Uint32Array(0);
  #byLane = new Uint32Array(0);
  /** By lane of a warp: its next record's place in #byLane, where its records end, and that one's number. */
  readonly #at = new Uint32Array(LANES);
  readonly #end = new Uint32Array(LANES);
  readonly #number = new Float64Array(LANES);
  /** By warp: how many records it has, then where they end in the order. All are 0 between two calls. */
  readonly #ends = new Uint32Array(WARPS);

  /** A kernel begins: records are numbered from 0 again. */
  restart(): void {
    this.#next.fill(0);
  }

  /** Returns the numbers that are not 0, by thread. */
  state(): [thread: number, next: number][] {
    return [...this.#next.entries()].filter(([, next]) => next > 0);
  }

  /** Makes the numbers what state() has returned. */
  restore(state: readonly (readonly [thread: number, next: number])[]): void {
    for (const [thread, next] of state) this.#next[thread] = next;
  }

  /** A thread has made a record that needs no place in a schedule. */
  skip(thread: number): void {
    this.#next[thread]++;
  }

  /**
   * Numbers records in another array, where others may count records that need no place in a schedule: a
   * number for each of 65,536 threads. The numbers so far are copied.
   */
  numberIn(next: Uint32Array<ArrayBuffer>): void {
    next.set(this.#next);
    this.#next = next;
  }

  /**
   * Returns the schedule of the first `n` records of `words`, which are loads, stores and modifies. It holds
   * until the next call.
   */
  schedule(words: Uint32Array, n: number): WarpSchedule {
    if (n > this.#order.length) {
      this.#order = new Uint32Array(n);
      this.#numbers = new Uint32Array(n);
      this.#byLane = new Uint32Array(n);
    }
    const [order, numbers, next] = [this.#order, this.#numbers, this.#next];
    const ends = this.#ends;
    let [lowest, highest] = [WARPS, -1];
    for (let i = 0; i < n; i++) {
      const thread = words[WORDS * i + 2] >>> RECORD_THREAD_SHIFT;
      const warp = thread >>> 5;
      numbers[i] = next[thread]++;
      ends[warp]++;
      if (warp < lowest) lowest = warp;
      if (warp > highest) highest = warp;
    }
    const warps: [number, number, number][] = [];
    let sum = 0;
    for (let warp = lowest; warp <= highest; warp++) {
      const count = ends[warp];
      ends[warp] = sum;
      if (count > 0) warps.push([warp, sum, sum + count]);
      sum += count;
    }
    for (let i = 0; i < n; i++) order[ends[words[WORDS * i + 2] >>> (RECORD_THREAD_SHIFT + 5)]++] = i;
    ends.fill(0, lowest, highest + 1);
    for (const [, from, to] of warps) this.#lockstep(words, from, to);
    return new WarpSchedule(words, order, numbers, warps);
  }

  /** Sorts the records of a warp, whose indices ascend in [from, to) of the order, by number and lane. */
  #lockstep(words: Uint32Array, from: number, to: number): void {
    this.#sortByLane(words, from, to);
    const [order, numbers, byLane] = [this.#order, this.#numbers, this.#byLane];
    const [at, end, number] = [this.#at, this.#end, this.#number];
    for (let lane = 0; lane < LANES; lane++)
      number[lane] = at[lane] < end[lane] ? numbers[byLane[at[lane]]] : Infinity;
    for (let out = from; out < to;) {
      let first = Infinity;
      for (let lane = 0; lane < LANES; lane++) if (number[lane] < first) first = number[lane];
      for (let lane = 0; lane < LANES; lane++) {
        if (number[lane] !== first) continue;
        order[out++] = byLane[at[lane]++];
        number[lane] = at[lane] < end[lane] ? numbers[byLane[at[lane]]] : Infinity;
      }
    }
  }

  /** Copies the indices of a warp's records by lane; each lane's numbers ascend. */
  #sortByLane(words: Uint32Array, from: number, to: number): void {
    const [order, byLane, at, end] = [this.#order, this.#byLane, this.#at, this.#end];
    const laneOf = (record: number): number =>
      (words[WORDS * record + 2] >>> RECORD_THREAD_SHIFT) & (LANES - 1);
    end.fill(0);
    for (let i = from; i < to; i++) end[laneOf(order[i])]++;
    let sum = 0;
    for (let lane = 0; lane < LANES; lane++) {
      at[lane] = sum;
      sum += end[lane];
      end[lane] = at[lane];
    }
    for (let i = from; i < to; i++) byLane[end[laneOf(order[i])]++] = order[i];
  }
}
