import type { Evictor, EvictorOptions, EvictPolicy } from "./evictor.ts";

interface State {
  hand: number;
  /** By slot: 0 empty, 1 not referenced, 2 referenced. */
  slots: number[];
}

const EMPTY = 0;
const PLAIN = 1;
const REFERENCED = 2;

/** A hand that goes round the slots, from slot 0 on. It moves past the slot whose unit it names. */
class Clock implements Evictor {
  readonly #slots: Uint8Array;
  readonly #onArrival: number;
  #hand: number;

  constructor({ capacity, state }: EvictorOptions, onArrival: number) {
    const { hand, slots } = (state as State | undefined) ?? { hand: 0, slots: [] };
    this.#slots = new Uint8Array(capacity);
    this.#slots.set(slots);
    this.#hand = hand;
    this.#onArrival = onArrival;
  }

  arrived(slot: number): void {
    this.#slots[slot] = this.#onArrival;
  }

  used(slot: number): void {
    this.#slots[slot] = REFERENCED;
  }

  left(slot: number): void {
    this.#slots[slot] = EMPTY;
  }

  victim(_incoming: number, skip: (slot: number) => boolean): number {
    const slots = this.#slots;
    // The first round clears the bits that the second one would meet.
    for (let steps = 2 * slots.length; steps > 0; steps--) {
      const slot = this.#hand;
      this.#hand = slot + 1 === slots.length ? 0 : slot + 1;
      if (slots[slot] === EMPTY || skip(slot)) continue;
      if (slots[slot] === PLAIN) return slot;
      slots[slot] = PLAIN;
    }
    return -1;
  }

  state(): State {
    return { hand: this.#hand, slots: [...this.#slots] };
  }
}

/**
 * Clock, or second chance: F. J. Corbató, "A paging experiment with the Multics system", 1968. The reference
 * bit is set when a unit comes and when it is used.
 */
export const clock: EvictPolicy = {
  about:
    "the first unit at a clock's hand that was not referenced since it last passed; coming is a reference",
  uses: "all",
  create: (options) => new Clock(options, REFERENCED),
};

/** Clock as libCacheSim has it: the reference bit is set by hits only. */
export const clockHit: EvictPolicy = {
  about: "as clock, but coming is no reference",
  uses: "all",
  create: (options) => new Clock(options, PLAIN),
};
