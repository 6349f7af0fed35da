import { reserved } from "./reserve.ts";
import type { Evictor, EvictorOptions, EvictPolicy } from "./evictor.ts";
import { SlotList } from "./slot-list.ts";

/** Units in the order of their last use, arrival included; the victim is at one end. */
class ByRecency implements Evictor {
  readonly #slots: SlotList;
  readonly #newestFirst: boolean;
  readonly #reserve: number;

  constructor({ capacity, state, reserve = 0 }: EvictorOptions, newestFirst: boolean) {
    this.#slots = new SlotList(capacity, state as number[] | undefined);
    this.#newestFirst = newestFirst;
    this.#reserve = reserve;
  }

  arrived(slot: number): void {
    this.#slots.push(slot);
  }

  used(slot: number): void {
    this.#slots.push(slot);
  }

  left(slot: number): void {
    this.#slots.remove(slot);
  }

  victim(_incoming: number, skip: (slot: number) => boolean): number {
    if (!this.#newestFirst) return this.#oldest(skip);
    let slot = this.#slots.newest;
    while (slot >= 0 && skip(slot)) slot = this.#slots.older(slot);
    return slot;
  }

  /** The oldest slot that need not stay, of those beyond the reserve if there is one. */
  #oldest(skip: (slot: number) => boolean): number {
    let slot = this.#slots.oldest;
    for (let n = reserved(this.#slots.size, this.#reserve); n > 0; n--) slot = this.#slots.newer(slot);
    while (slot >= 0 && skip(slot)) slot = this.#slots.newer(slot);
    return slot < 0 ? this.#slots.oldestBut(skip) : slot;
  }

  state(): number[] {
    return this.#slots.toArray();
  }
}

/**
 * Least recently used: R. L. Mattson, J. Gecsei, D. R. Slutz, I. L. Traiger, "Evaluation techniques for
 * storage hierarchies", 1970.
 */
export const lru: EvictPolicy = {
  about: "what was used longest ago",
  uses: "all",
  reserves: true,
  create: (options) => new ByRecency(options, false),
};

/** Most recently used: H.-T. Chou, D. J. DeWitt, "An evaluation of buffer management strategies", 1985. */
export const mru: EvictPolicy = {
  about: "what was used last",
  uses: "all",
  create: (options) => new ByRecency(options, true),
};
