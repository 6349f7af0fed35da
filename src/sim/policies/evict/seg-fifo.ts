import type { Evictor, EvictorOptions, EvictPolicy } from "./evictor.ts";
import { SlotList } from "./slot-list.ts";

interface State {
  primary: number[];
  secondary: number[];
}

/** The percentage of the slots that the second list has, if none is given. */
const PERCENT = 50;

class SegFifo implements Evictor {
  /** In the order of their arrival in the list; uses do not change it. */
  readonly #primary: SlotList;
  /** In the order in which they left the primary list. */
  readonly #secondary: SlotList;
  readonly #primaryMax: number;

  constructor({ capacity, parameter = PERCENT, state }: EvictorOptions) {
    const { primary, secondary } = (state as State | undefined) ?? { primary: [], secondary: [] };
    this.#primary = new SlotList(capacity, primary);
    this.#secondary = new SlotList(capacity, secondary);
    this.#primaryMax = capacity - Math.floor((capacity * parameter) / 100);
  }

  arrived(slot: number): void {
    this.#primary.push(slot);
    if (this.#primary.size <= this.#primaryMax) return;
    const { oldest } = this.#primary;
    this.#primary.remove(oldest);
    this.#secondary.push(oldest);
  }

  used(slot: number): void {
    if (this.#secondary.remove(slot)) this.arrived(slot);
  }

  left(slot: number): void {
    this.#primary.remove(slot);
    this.#secondary.remove(slot);
  }

  victim(_incoming: number, skip: (slot: number) => boolean): number {
    const slot = this.#secondary.oldestBut(skip);
    return slot >= 0 ? slot : this.#primary.oldestBut(skip);
  }

  state(): State {
    return { primary: this.#primary.toArray(), secondary: this.#secondary.toArray() };
  }
}

/**
 * Segmented FIFO: R. Turner, H. Levy, "Segmented FIFO page replacement", SIGMETRICS 1981, as in VAX/VMS. P %
 * of the slots (rounded down) are a second list. A unit comes to the first list, which is a FIFO; what falls
 * out of it joins the second one, and a use there brings it back. segfifo:0 is FIFO, segfifo:100 is LRU.
 */
export const segFifo: EvictPolicy = {
  about: "the oldest unit of a list that takes what falls out of a FIFO, and gives it back when it is used",
  uses: "all",
  parameter: { about: "percentage of the slots that are the second list", min: 0, max: 100 },
  create: (options) => new SegFifo(options),
};
