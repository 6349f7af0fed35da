/** The units that a device accesses, in order: what OPT and stack distances are computed of. */
import {
  RECORD_AGENT_SHIFT,
  RECORD_BYTES,
  RECORD_KIND_FETCH,
  RECORD_KIND_MASK,
  RECORD_SIZE_SHIFT,
} from "../../../assembly/abi/record.ts";
import { mappable } from "../space.ts";
import type { Future } from "./evict/future.ts";

/** 32-bit words of a record. */
const WORDS = RECORD_BYTES / 4;
const AGENT_MASK = 0xff << RECORD_AGENT_SHIFT;
const SIZE_SHIFT = RECORD_SIZE_SHIFT - 32;

/**
 * Calls `visit` for each unit that the device's accesses among n records touch, in order. An access touches
 * each unit that its bytes lie on, from the lowest address. Marks, fetches, and accesses where nothing can
 * be mapped are passed over, as a simulation passes over them.
 */
export function forEachUnit(
  words: Uint32Array,
  n: number,
  unitBytes: number,
  visit: (unit: number) => void,
): void {
  for (let i = 0; i < WORDS * n; i += WORDS) {
    const how = words[i + 2];
    if ((how & AGENT_MASK) === 0 || (how & RECORD_KIND_MASK) >= RECORD_KIND_FETCH) continue;
    const high = words[i + 1];
    const address = (high & 0xffff) * 2 ** 32 + words[i];
    const last = Math.floor((address + Math.max(high >>> SIZE_SHIFT, 1) - 1) / unitBytes);
    for (let unit = Math.floor(address / unitBytes); unit <= last; unit++)
      if (mappable(unit * unitBytes)) visit(unit);
  }
}

/** Accesses by unit, in order; 4 bytes each, and again 4 once something looks ahead. */
export class References implements Future {
  /** The units, in the order of their first access. */
  readonly #units: number[] = [];
  readonly #numbers = new Map<number, number>();
  /** By position: the unit's number. */
  #all = new Uint32Array(1 << 10);
  #length = 0;
  #next: Uint32Array | null = null;

  /** @param units what state() returned */
  constructor(units: readonly number[] = []) {
    for (const unit of units) this.add(unit);
  }

  /** Accesses that are kept; those to one unit that follow each other are one. */
  get length(): number {
    return this.#length;
  }

  /** How many units were accessed. */
  get units(): number {
    return this.#units.length;
  }

  /** Appends an access. */
  add(unit: number): void {
    let number = this.#numbers.get(unit);
    if (number === undefined) {
      number = this.#units.push(unit) - 1;
      this.#numbers.set(unit, number);
    } else if (number === this.#all[this.#length - 1]) return;
    if (this.#length === this.#all.length) {
      const longer = new Uint32Array(2 * this.#length);
      longer.set(this.#all);
      this.#all = longer;
    }
    this.#all[this.#length++] = number;
    this.#next = null;
  }

  /** Appends the device's accesses among n records, by units of so many bytes. */
  note(words: Uint32Array, n: number, unitBytes: number): void {
    forEachUnit(words, n, unitBytes, (unit) => this.add(unit));
  }

  unitAt(position: number): number {
    return position < this.#length ? this.#units[this.#all[position]] : -1;
  }

  nextAt(position: number): number {
    this.#next ??= this.#look();
    const next = this.#next[position];
    return next === 0 ? Infinity : next;
  }

  /** Returns the units of the accesses, in order. */
  state(): number[] {
    return Array.from(this.#all.subarray(0, this.#length), (number) => this.#units[number]);
  }

  /** Returns by position where the unit is accessed next; 0: nowhere. */
  #look(): Uint32Array {
    const next = new Uint32Array(this.#length);
    const later = new Uint32Array(this.#units.length);
    for (let position = this.#length - 1; position >= 0; position--) {
      const number = this.#all[position];
      next[position] = later[number];
      later[number] = position;
    }
    return next;
  }
}
