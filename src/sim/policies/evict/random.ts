import { Random } from "../../../engine/random.ts";
import type { Evictor, EvictorOptions, EvictPolicy } from "./evictor.ts";

interface State {
  seed: number;
  taken: number[];
}

class RandomEvictor implements Evictor {
  /** By slot: whether there is a unit. */
  readonly #taken: Uint8Array;
  readonly #random: Random;

  constructor({ capacity, seed, state }: EvictorOptions) {
    const before = (state as State | undefined) ?? { seed, taken: [] };
    this.#taken = new Uint8Array(capacity);
    this.#taken.set(before.taken);
    this.#random = new Random(before.seed);
  }

  arrived(slot: number): void {
    this.#taken[slot] = 1;
  }

  used(): void {}

  left(slot: number): void {
    this.#taken[slot] = 0;
  }

  victim(_incoming: number, skip: (slot: number) => boolean): number {
    const { length } = this.#taken;
    const first = this.#random.below(length);
    for (let i = 0; i < length; i++) {
      const slot = (first + i) % length;
      if (this.#taken[slot] !== 0 && !skip(slot)) return slot;
    }
    return -1;
  }

  state(): State {
    return { seed: this.#random.seed, taken: [...this.#taken] };
  }
}

/**
 * Random replacement: L. A. Belady, 1966. A slot is drawn; if its unit must stay, the next one that need
 * not.
 */
export const random: EvictPolicy = {
  about: "any unit, drawn by a seeded generator",
  uses: "none",
  create: (options) => new RandomEvictor(options),
};
