/**
 * The instructions of a device's warps, made from records. Threads 32 k to 32 k + 31 are warp k. They run in
 * lockstep by record number: the n-th records of a warp's threads are one instruction. An instruction
 * accesses each distinct page once, in ascending order of its lanes. A modify is a load and then a store.
 */
import { RECORD_KIND_MASK, RECORD_KIND_MODIFY, RECORD_KIND_STORE } from "../../../assembly/abi/record.ts";
import { RECORD_SIZE_SHIFT, RECORD_THREAD_SHIFT } from "../../../assembly/abi/record.ts";
import { ACCESS_ATOMIC_STRONG, ACCESS_READ, ACCESS_WRITE } from "./processor.ts";

/** 32-bit words of a record. */
const WORDS = 4;
/** Threads of a warp. */
const LANES = 32;
/** The bit of a record's kind that says that the access is atomic. */
const ATOMIC = 4;
const THREADS = 1 << 16;

const SECTOR_BYTES = 32;
const PAGE_BYTES = 4096;
/** Words of a bitmap of a page's sectors. */
const SECTOR_WORDS = PAGE_BYTES / SECTOR_BYTES / 32;

/** What an instruction does to one page. */
export interface PageAccess {
  /** The page's number: its address divided by 4096. */
  page: number;
  /** ACCESS_*, the strongest of the lanes. */
  access: number;
  /** The 32-byte sectors that the lanes touch, a bit each. */
  sectors: Uint32Array;
}

/** One instruction of a warp: all its lanes load, or all store. */
export interface Instruction {
  store: boolean;
  accesses: PageAccess[];
}

/** Adds the accesses of one record to an instruction's. */
function addAccess(accesses: PageAccess[], address: number, size: number, access: number): void {
  const end = address + Math.max(size, 1);
  for (let at = address; at < end;) {
    const page = Math.floor(at / PAGE_BYTES);
    const until = Math.min(end, (page + 1) * PAGE_BYTES);
    let one = accesses.find((other) => other.page === page);
    if (one === undefined) accesses.push((one = { page, access, sectors: new Uint32Array(SECTOR_WORDS) }));
    one.access = Math.max(one.access, access);
    const last = Math.floor(((until - 1) % PAGE_BYTES) / SECTOR_BYTES);
    for (let s = Math.floor((at % PAGE_BYTES) / SECTOR_BYTES); s <= last; s++)
      one.sectors[s >>> 5] |= 1 << (s & 31);
    at = until;
  }
}

/** Returns the instructions of one warp from its records, which are in order of number, then of lane. */
function* instructions(words: Uint32Array, records: readonly number[], numbers: Uint32Array) {
  for (let from = 0; from < records.length;) {
    let to = from;
    const [loads, stores]: [PageAccess[], PageAccess[]] = [[], []];
    while (to < records.length && numbers[records[to]] === numbers[records[from]]) {
      const at = WORDS * records[to++];
      const address = (words[at + 1] & 0xffff) * 2 ** 32 + words[at];
      const size = words[at + 1] >>> (RECORD_SIZE_SHIFT - 32);
      const kind = words[at + 2] & RECORD_KIND_MASK;
      const atomic = (words[at + 2] & ATOMIC) !== 0;
      if (kind !== RECORD_KIND_STORE)
        addAccess(loads, address, size, atomic ? ACCESS_ATOMIC_STRONG : ACCESS_READ);
      if (kind === RECORD_KIND_STORE || kind === RECORD_KIND_MODIFY)
        addAccess(stores, address, size, atomic ? ACCESS_ATOMIC_STRONG : ACCESS_WRITE);
    }
    from = to;
    if (loads.length > 0) yield { store: false, accesses: loads };
    if (stores.length > 0) yield { store: true, accesses: stores };
  }
}

/** Numbers the records of threads, and sorts them into warps. */
export class WarpBuilder {
  /** By thread: the number of its next record. */
  readonly #next = new Uint32Array(THREADS);

  /** A kernel begins: records are numbered from 0 again. */
  restart(): void {
    this.#next.fill(0);
  }

  /**
   * Returns the instructions of each warp that has records among the first `n` of `words`, by ascending
   * number of the warp. They are made while they are asked for, so `words` must stay as it is until then.
   */
  build(words: Uint32Array, n: number): Map<number, Iterator<Instruction>> {
    const numbers = new Uint32Array(n);
    const byWarp = new Map<number, number[]>();
    const sorted = new Map<number, boolean>();
    for (let i = 0; i < n; i++) {
      const thread = words[WORDS * i + 2] >>> RECORD_THREAD_SHIFT;
      numbers[i] = this.#next[thread]++;
      const warp = Math.floor(thread / LANES);
      const records = byWarp.get(warp);
      if (records === undefined) byWarp.set(warp, [i]);
      else {
        const last = records[records.length - 1];
        const order =
          numbers[last] - numbers[i] || (words[WORDS * last + 2] >>> RECORD_THREAD_SHIFT) - thread;
        if (order > 0) sorted.set(warp, false);
        records.push(i);
      }
    }
    const threadOf = (i: number): number => words[WORDS * i + 2] >>> RECORD_THREAD_SHIFT;
    for (const warp of sorted.keys())
      byWarp.get(warp)!.sort((a, b) => numbers[a] - numbers[b] || threadOf(a) - threadOf(b) || a - b);
    const warps = [...byWarp].sort(([a], [b]) => a - b);
    return new Map(warps.map(([warp, records]) => [warp, instructions(words, records, numbers)]));
  }
}
