import type { Evictor, EvictorOptions, EvictPolicy } from "./evictor.ts";
import { GhostList } from "./ghost-list.ts";
import { SlotList } from "./slot-list.ts";

interface State {
  small: number[];
  main: number[];
  ghost: number[];
  hits: number[];
}

/** Hits that are counted, at most. */
const HITS_MAX = 3;
/**
 * The access at which a unit of the small queue earns its place in the main one; its arrival is the first.
 */
const PROMOTED_AT = 2;

class S3Fifo implements Evictor {
  readonly #small: SlotList;
  readonly #main: SlotList;
  readonly #ghost: GhostList;
  readonly #hits: Uint8Array;
  readonly #smallMax: number;
  readonly #ghostMax: number;
  readonly #promotedAfter: number;

  constructor({ capacity, parameter = PROMOTED_AT, state }: EvictorOptions) {
    const before = (state as State | undefined) ?? { small: [], main: [], ghost: [], hits: [] };
    this.#small = new SlotList(capacity, before.small);
    this.#main = new SlotList(capacity, before.main);
    this.#ghost = new GhostList(before.ghost);
    this.#hits = new Uint8Array(capacity);
    this.#hits.set(before.hits);
    this.#smallMax = Math.max(1, Math.floor(capacity / 10));
    this.#ghostMax = capacity - this.#smallMax;
    this.#promotedAfter = parameter - 1;
  }

  arrived(slot: number, unit: number): void {
    this.#hits[slot] = 0;
    if (!this.#ghost.has(unit)) this.#small.push(slot);
    else {
      this.#ghost.remove(unit);
      this.#main.push(slot);
    }
  }

  used(slot: number, _unit: number, times: number): void {
    this.#hits[slot] = Math.min(this.#hits[slot] + times, HITS_MAX);
  }

  left(slot: number, unit: number, evicted: boolean): void {
    this.#main.remove(slot);
    if (!this.#small.remove(slot) || !evicted) return;
    this.#ghost.push(unit);
    this.#ghost.trim(this.#ghostMax);
  }

  victim(_incoming: number, skip: (slot: number) => boolean): number {
    const small = this.#small;
    if (small.size < this.#smallMax) return this.#fromMain(skip);
    for (;;) {
      const slot = small.oldestBut(skip);
      if (slot < 0) return this.#fromMain(skip);
      if (this.#hits[slot] < this.#promotedAfter) return slot;
      this.#hits[slot] = 0;
      small.remove(slot);
      this.#main.push(slot);
    }
  }

  /** Names the main queue's oldest unit without hits; those with hits join it again, with one hit less. */
  #fromMain(skip: (slot: number) => boolean): number {
    const main = this.#main;
    for (;;) {
      const slot = main.oldestBut(skip);
      if (slot < 0) return this.#small.oldestBut(skip);
      if (this.#hits[slot] === 0) return slot;
      this.#hits[slot]--;
      main.push(slot);
    }
  }

  state(): State {
    return {
      small: this.#small.toArray(),
      main: this.#main.toArray(),
      ghost: this.#ghost.toArray(),
      hits: [...this.#hits],
    };
  }
}

/**
 * S3-FIFO: J. Yang, Y. Zhang, Z. Qiu, Y. Yue, K. V. Rashmi, "FIFO queues are all you need for cache
 * eviction", SOSP 2023. The small queue has 10 % of the slots (rounded down, at least one), and the ghost
 * queue as many entries as the main queue has slots. When the oldest unit of the small queue has been
 * accessed twice, it moves to the main queue and its count begins again; `s3-fifo:N` asks for N accesses.
 */
export const s3Fifo: EvictPolicy = {
  about: "the oldest unit of a small queue that was accessed once, or of the main queue without hits",
  uses: "all",
  parameter: { about: "accesses that move a unit to the main queue", min: 2, max: HITS_MAX + 1 },
  create: (options) => new S3Fifo(options),
};
