import type { Evictor, EvictorOptions, EvictPolicy } from "./evictor.ts";
import { SlotList } from "./slot-list.ts";

interface State {
  slots: number[];
  visited: number[];
  hand: number;
}

/** Units in the order of their arrival, which uses do not change, and a hand that moves to newer ones. */
class Sieve implements Evictor {
  readonly #slots: SlotList;
  readonly #visited: Uint8Array;
  /** The unit at which the next search begins; -1: at the oldest. */
  #hand: number;

  constructor({ capacity, state }: EvictorOptions) {
    const { slots, visited, hand } = (state as State | undefined) ?? { slots: [], visited: [], hand: -1 };
    this.#slots = new SlotList(capacity, slots);
    this.#visited = new Uint8Array(capacity);
    this.#visited.set(visited);
    this.#hand = hand;
  }

  arrived(slot: number): void {
    this.#slots.push(slot);
    this.#visited[slot] = 0;
  }

  used(slot: number): void {
    this.#visited[slot] = 1;
  }

  left(slot: number): void {
    if (slot === this.#hand) this.#hand = this.#slots.newer(slot);
    this.#slots.remove(slot);
  }

  victim(_incoming: number, skip: (slot: number) => boolean): number {
    const slots = this.#slots;
    // The first round clears the bits that the second one would meet.
    for (let steps = 2 * slots.size; steps > 0; steps--) {
      const slot = this.#hand < 0 ? slots.oldest : this.#hand;
      if (this.#visited[slot] === 0 && !skip(slot)) {
        this.#hand = slot; // left() moves it on
        return slot;
      }
      if (!skip(slot)) this.#visited[slot] = 0;
      this.#hand = slots.newer(slot);
    }
    return -1;
  }

  state(): State {
    return { slots: this.#slots.toArray(), visited: [...this.#visited], hand: this.#hand };
  }
}

/**
 * SIEVE: Y. Zhang, J. Yang, Y. Yue, Y. Vigfusson, K. V. Rashmi, "SIEVE is simpler than LRU", NSDI 2024. New
 * units join at the head; a hand moves from the tail to the head, clears the bits of visited units, and
 * evicts the first one without.
 */
export const sieve: EvictPolicy = {
  about: "the first unit at a hand that was not used since it last passed, in the order of arrival",
  uses: "all",
  create: (options) => new Sieve(options),
};
