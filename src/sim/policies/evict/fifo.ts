import type { Evictor, EvictorOptions, EvictPolicy } from "./evictor.ts";
import { SlotList } from "./slot-list.ts";

class Fifo implements Evictor {
  readonly #slots: SlotList;

  constructor({ capacity, state }: EvictorOptions) {
    this.#slots = new SlotList(capacity, state as number[] | undefined);
  }

  arrived(slot: number): void {
    this.#slots.push(slot);
  }

  used(): void {}

  left(slot: number): void {
    this.#slots.remove(slot);
  }

  victim(_incoming: number, skip: (slot: number) => boolean): number {
    return this.#slots.oldestBut(skip);
  }

  state(): number[] {
    return this.#slots.toArray();
  }
}

/**
 * First in, first out: L. A. Belady, "A study of replacement algorithms for a virtual-storage computer",
 * 1966.
 */
export const fifo: EvictPolicy = {
  about: "what came first",
  uses: "none",
  create: (options) => new Fifo(options),
};
