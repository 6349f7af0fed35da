/**
 * The instructions of a device's warps, made from records that warp-scheduler.ts has sorted. Lanes that load
 * go before lanes that store, and a modify does both.
 */
import {
  RECORD_KIND_MASK,
  RECORD_KIND_LOAD,
  RECORD_KIND_STORE,
  RECORD_SIZE_SHIFT,
} from "../../../assembly/abi/record.ts";
import { ones } from "./bits.ts";
import { ACCESS_ATOMIC_STRONG, ACCESS_READ, ACCESS_WRITE } from "./processor.ts";

/** 32-bit words of a record. */
const WORDS = 4;
/** The bit of a record's kind that says that the access is atomic. */
export const RECORD_ATOMIC = 4;
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
  /** Whether lanes of the instruction that was found last load, and store. */
  loads = false;
  stores = false;
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

  /**
   * Finds the instruction that begins at `from`, of a warp that ends at `end`. Returns where it ends, and
   * sets `loads` and `stores`.
   */
  instruction(from: number, end: number): number {
    const number = this.#numbers[this.#order[from]];
    let kinds = 0;
    let to = from;
    do kinds |= 1 << this.#kind(to++);
    while (to < end && this.#numbers[this.#order[to]] === number);
    this.loads = (kinds & ~(1 << RECORD_KIND_STORE)) !== 0;
    this.stores = (kinds & ~(1 << RECORD_KIND_LOAD)) !== 0;
    return to;
  }

  /**
   * Puts the distinct pages that the lanes load, or store to, into `pages` and `accesses`, lanes ascending.
   */
  gather(from: number, to: number, store: boolean): void {
    const { pages, accesses } = this;
    const other = store ? RECORD_KIND_LOAD : RECORD_KIND_STORE;
    const plain = store ? ACCESS_WRITE : ACCESS_READ;
    pages.length = accesses.length = 0;
    // Most lanes access the page that the lane before them does.
    let lastPage = -1;
    for (let i = from; i < to; i++) {
      const at = WORDS * this.#order[i];
      const how = this.#words[at + 2];
      if ((how & RECORD_KIND_MASK) === other) continue;
      const access = (how & RECORD_ATOMIC) === 0 ? plain : ACCESS_ATOMIC_STRONG;
      const address = this.#address(i);
      const first = Math.floor(address / PAGE_BYTES);
      const last = Math.floor((address + this.#size(i) - 1) / PAGE_BYTES);
      if (first === lastPage && last === lastPage && access === plain) continue;
      for (let page = first; page <= last; page++) this.#gather(page, access);
      lastPage = last;
    }
  }

  /** Adds a lane's access to a page. */
  #gather(page: number, access: number): void {
    const { pages, accesses } = this;
    const at = pages.indexOf(page);
    if (at < 0) {
      pages.push(page);
      accesses.push(access);
    } else if (access > accesses[at]) accesses[at] = access;
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
