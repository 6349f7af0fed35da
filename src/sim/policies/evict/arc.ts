import type { Evictor, EvictorOptions, EvictPolicy } from "./evictor.ts";
import { GhostList } from "./ghost-list.ts";
import { SlotList } from "./slot-list.ts";

interface State {
  recent: number[];
  frequent: number[];
  recentGhosts: number[];
  frequentGhosts: number[];
  target: number;
  adaptedFor: number;
}

const EMPTY: State = {
  recent: [],
  frequent: [],
  recentGhosts: [],
  frequentGhosts: [],
  target: 0,
  adaptedFor: -1,
};

/** The paper's T1 and T2 are `recent` and `frequent`, B1 and B2 their ghosts, and p is `target`. */
class Arc implements Evictor {
  readonly #capacity: number;
  readonly #recent: SlotList;
  readonly #frequent: SlotList;
  readonly #recentGhosts: GhostList;
  readonly #frequentGhosts: GhostList;
  /** How many slots `recent` ought to have: a real number. */
  #target: number;
  /** The incoming unit for which the target was adapted already; -1: none. */
  #adaptedFor: number;

  constructor({ capacity, state }: EvictorOptions) {
    const before = (state as State | undefined) ?? EMPTY;
    this.#capacity = capacity;
    this.#recent = new SlotList(capacity, before.recent);
    this.#frequent = new SlotList(capacity, before.frequent);
    this.#recentGhosts = new GhostList(before.recentGhosts);
    this.#frequentGhosts = new GhostList(before.frequentGhosts);
    this.#target = before.target;
    this.#adaptedFor = before.adaptedFor;
  }

  arrived(slot: number, unit: number): void {
    this.#adapt(unit);
    const known = this.#recentGhosts.has(unit) || this.#frequentGhosts.has(unit);
    this.#recentGhosts.remove(unit);
    this.#frequentGhosts.remove(unit);
    if (this.#adaptedFor === unit) this.#adaptedFor = -1;
    (known ? this.#frequent : this.#recent).push(slot);
    this.#recentGhosts.trim(this.#capacity - this.#recent.size);
    const others = this.#recent.size + this.#frequent.size + this.#recentGhosts.size;
    this.#frequentGhosts.trim(2 * this.#capacity - others);
  }

  used(slot: number): void {
    this.#recent.remove(slot);
    this.#frequent.push(slot);
  }

  left(slot: number, unit: number, evicted: boolean): void {
    const ghosts = this.#recent.has(slot) ? this.#recentGhosts : this.#frequentGhosts;
    this.#recent.remove(slot);
    this.#frequent.remove(slot);
    if (evicted) ghosts.push(unit);
  }

  /** The paper's REPLACE. */
  victim(incoming: number, skip: (slot: number) => boolean): number {
    this.#adapt(incoming);
    this.#adaptedFor = incoming;
    const { size } = this.#recent;
    const atTarget = size === this.#target && this.#frequentGhosts.has(incoming);
    const recentFirst = size > this.#target || atTarget;
    const [first, second] = recentFirst ? [this.#recent, this.#frequent] : [this.#frequent, this.#recent];
    const slot = first.oldestBut(skip);
    return slot >= 0 ? slot : second.oldestBut(skip);
  }

  /** Moves the target by what the incoming unit's ghost tells, once for each arrival. */
  #adapt(incoming: number): void {
    if (this.#adaptedFor === incoming) return;
    const [recent, frequent] = [this.#recentGhosts.size, this.#frequentGhosts.size];
    if (this.#recentGhosts.has(incoming))
      this.#target = Math.min(this.#capacity, this.#target + Math.max(1, frequent / recent));
    else if (this.#frequentGhosts.has(incoming))
      this.#target = Math.max(0, this.#target - Math.max(1, recent / frequent));
  }

  state(): State {
    return {
      recent: this.#recent.toArray(),
      frequent: this.#frequent.toArray(),
      recentGhosts: this.#recentGhosts.toArray(),
      frequentGhosts: this.#frequentGhosts.toArray(),
      target: this.#target,
      adaptedFor: this.#adaptedFor,
    };
  }
}

/**
 * ARC: N. Megiddo, D. S. Modha, "ARC: a self-tuning, low overhead replacement cache", FAST 2003. The target
 * is a real number; the ghost lists have as many entries as there are slots, in sum.
 */
export const arc: EvictPolicy = {
  about:
    "what was used longest ago of the units accessed once, or of the others, in a proportion that adapts",
  uses: "all",
  create: (options) => new Arc(options),
};
