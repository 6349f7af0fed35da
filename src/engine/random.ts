import { badType, checkInteger, checkU32 } from "./errors.ts";

/** A small seeded generator (mulberry32): the same seed makes the same numbers on every host. */
export class Random {
  #state: number;

  /** @param seed an integer from 0 to 2^32 - 1. Throws TypeError and RangeError. */
  constructor(seed: number) {
    checkU32("new Random", "seed", seed);
    this.#state = seed >>> 0;
  }

  /** The seed of a generator that goes on where this one is. */
  get seed(): number {
    return this.#state;
  }

  /** Returns an integer from 0 to 2^32 - 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /**
   * Returns an integer from 0 to n - 1. Throws TypeError and RangeError unless n is an integer from 1 to
   * 2^32.
   */
  below(n: number): number {
    checkInteger("random.below", "n", n, 1, 2 ** 32);
    return Math.floor((this.next() / 2 ** 32) * n);
  }

  /** Returns one of the items; undefined if there is none. Throws TypeError for anything but an array. */
  pick<T>(items: readonly T[]): T | undefined {
    if (!(items instanceof Array)) throw badType("random.pick", "items", "an array", items);
    return items.length === 0 ? undefined : items[this.below(items.length)];
  }
}
