/**
 * The instructions of a device's warps, made from records. Threads 32 k to 32 k + 31 are warp k. They run in
 * lockstep by record number: the n-th records of a warp's threads are one instruction. Lanes that load go
 * before lanes that store, and a modify does both.
 */
import {
  RECORD_KIND_MASK,
  RECORD_KIND_LOAD,
  RECORD_KIND_STORE,
  RECORD_SIZE_SHIFT,
  RECORD_THREAD_SHIFT,
} from "../../../assembly/abi/record.ts";
import { ones } from "./bits.ts";
import { ACCESS_ATOMIC_STRONG, ACCESS_READ, ACCESS_WRITE } from "./processor.ts";

/** 32-bit words of a record. */
const WORDS = 4;
/** Threads of a warp. */
const LANES = 32;
/** The bit of a record's kind that says that the access is atomic. */
export const RECORD_ATOMIC = 4;
const THREADS = 1 << 16;
const WARPS = THREADS / LANES;
const SECTOR_BYTES = 32;
const PAGE_BYTES = 4096;
/** Words of a bitmap of a page's sectors. */
const SECTOR_WORDS = PAGE_BYTES / SECTOR_BYTES / 32;

/** Records sorted into warps. */
export class WarpSchedule {
  /** The records' words. They must stay as they are while the schedule is used. */
  readonly #words: Uint32Array;
  /** The records' indices by warp, number and lane; and by record, its number. */
  readonly #order: Uint32Array;
  readonly #numbers: Uint32Array;
  /** The warps that have records, ascending: the number, and its first and end in the order. */
  readonly warps: readonly (readonly [number: number, from: number, to: number])[];
  /** The pages that were gathered last, and by page the ACCESS_* of its strongest lane. */
  readonly pages: number[] = [];
  readonly accesses: number[] = [];

  constructor(
    words: Uint32Array,
    order: Uint32Array,
    numbers: Uint32Array,
    warps: readonly (readonly [number, number, number])[],
  ) {
    this.#words = words;
    this.#order = order;
    this.#numbers = numbers;
    this.warps = warps;
  }

  /** Returns the end of the instruction that begins at `from`, of a warp that ends at `end`. */
  endOf(from: number, end: number): number {
    const number = this.#numbers[this.#order[from]];
    let to = from + 1;
    while (to < end && this.#numbers[this.#order[to]] === number) to++;
    return to;
  }

  /** Returns whether a lane of the instruction [from, to) loads; or, if `store`, stores. */
  has(from: number, to: number, store: boolean): boolean {
    const other = store ? RECORD_KIND_LOAD : RECORD_KIND_STORE;
    for (let i = from; i < to; i++) if (this.#kind(i) !== other) return true;
    return false;
  }

  /**
   * Puts the distinct pages that the lanes load, or store to, into `pages` and `accesses`, lanes ascending.
   */
  gather(from: number, to: number, store: boolean): void {
    const { pages, accesses } = this;
    const other = store ? RECORD_KIND_LOAD : RECORD_KIND_STORE;
    pages.length = accesses.length = 0;
    for (let i = from; i < to; i++) {
      if (this.#kind(i) === other) continue;
      const plain = store ? ACCESS_WRITE : ACCESS_READ;
      const access =
        (this.#words[WORDS * this.#order[i] + 2] & RECORD_ATOMIC) === 0 ? plain : ACCESS_ATOMIC_STRONG;
      const address = this.#address(i);
      const last = Math.floor((address + this.#size(i) - 1) / PAGE_BYTES);
      for (let page = Math.floor(address / PAGE_BYTES); page <= last; page++) {
        const at = pages.indexOf(page);
        if (at < 0) {
          pages.push(page);
          accesses.push(access);
        } else if (access > accesses[at]) accesses[at] = access;
      }
    }
  }

  /** Returns how many distinct 32-byte sectors of a page the lanes load, or store to. */
  sectors(from: number, to: number, store: boolean, page: number): number {
    const other = store ? RECORD_KIND_LOAD : RECORD_KIND_STORE;
    const touched = new Uint32Array(SECTOR_WORDS);
    const start = page * PAGE_BYTES;
    for (let i = from; i < to; i++) {
      if (this.#kind(i) === other) continue;
      const first = Math.max(this.#address(i), start);
      const last = Math.min(this.#address(i) + this.#size(i), start + PAGE_BYTES) - 1;
      const lastSector = Math.floor((last - start) / SECTOR_BYTES);
      for (let s = Math.floor((first - start) / SECTOR_BYTES); s <= lastSector; s++)
        touched[s >>> 5] |= 1 << (s & 31);
    }
    return touched.reduce((sum, word) => sum + ones(word), 0);
  }

  /** The kind of the i-th record in the order: a load, a store or a modify. */
  #kind(i: number): number {
    return this.#words[WORDS * this.#order[i] + 2] & RECORD_KIND_MASK;
  }

  #address(i: number): number {
    const at = WORDS * this.#order[i];
    return (this.#words[at + 1] & 0xffff) * 2 ** 32 + this.#words[at];
  }

  #size(i: number): number {
    return Math.max(this.#words[WORDS * this.#order[i] + 1] >>> (RECORD_SIZE_SHIFT - 32), 1);
  }
}

/** Numbers the records of threads, and sorts them into warps. */
export class WarpScheduler {
  /** By thread: the number of its next record. */
  readonly #next = new Uint32Array(THREADS);

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

  /** Returns the schedule of the first `n` records of `words`, which are loads, stores and modifies. */
  schedule(words: Uint32Array, n: number): WarpSchedule {
    const numbers = new Uint32Array(n);
    // By warp: how many records it has, then where they end in the order.
    const ends = new Uint32Array(WARPS);
    for (let i = 0; i < n; i++) {
      const thread = words[WORDS * i + 2] >>> RECORD_THREAD_SHIFT;
      numbers[i] = this.#next[thread]++;
      ends[thread >>> 5]++;
    }
    const warps: [number, number, number][] = [];
    let sum = 0;
    for (let warp = 0; warp < WARPS; warp++) {
      const count = ends[warp];
      ends[warp] = sum;
      if (count > 0) warps.push([warp, sum, sum + count]);
      sum += count;
    }
    const order = new Uint32Array(n);
    for (let i = 0; i < n; i++) order[ends[words[WORDS * i + 2] >>> (RECORD_THREAD_SHIFT + 5)]++] = i;
    const thread = (i: number): number => words[WORDS * i + 2] >>> RECORD_THREAD_SHIFT;
    const compare = (a: number, b: number): number =>
      numbers[a] - numbers[b] || thread(a) - thread(b) || a - b;
    for (const [, from, to] of warps) {
      let at = from + 1;
      while (at < to && compare(order[at - 1], order[at]) < 0) at++;
      if (at < to) order.subarray(from, to).sort(compare);
    }
    return new WarpSchedule(words, order, numbers, warps);
  }
}
