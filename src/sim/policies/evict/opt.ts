import type { Evictor, EvictorOptions, EvictPolicy } from "./evictor.ts";
import type { Future } from "./future.ts";

interface State {
  position: number;
  slots: [slot: number, next: number][];
}

/** Slots in a binary heap, the one whose unit is needed last on top. */
class Opt implements Evictor {
  readonly #future: Future;
  /** The access that was made last. */
  #position: number;
  readonly #heap: number[] = [];
  /** By slot: its place in the heap, or -1, and when its unit is needed next. */
  readonly #place: Int32Array;
  readonly #next: Float64Array;

  constructor({ capacity, future, state }: EvictorOptions) {
    if (future === undefined) throw new TypeError("opt: expected the accesses to come, as `future`");
    const before = (state as State | undefined) ?? { position: -1, slots: [] };
    this.#future = future;
    this.#position = before.position;
    this.#place = new Int32Array(capacity).fill(-1);
    this.#next = new Float64Array(capacity);
    for (const [slot, next] of before.slots) this.#set(slot, next);
  }

  arrived(slot: number, unit: number): void {
    this.#advance(slot, unit);
  }

  used(slot: number, unit: number): void {
    this.#advance(slot, unit);
  }

  left(slot: number): void {
    const place = this.#place[slot];
    if (place < 0) return;
    this.#place[slot] = -1;
    const last = this.#heap.pop()!;
    if (last === slot) return;
    this.#heap[place] = last;
    this.#place[last] = place;
    this.#settle(last);
  }

  victim(_incoming: number, skip: (slot: number) => boolean): number {
    const [first] = this.#heap;
    if (first === undefined || !skip(first)) return first ?? -1;
    let victim = -1;
    for (const slot of this.#heap)
      if (!skip(slot) && (victim < 0 || this.#next[slot] > this.#next[victim])) victim = slot;
    return victim;
  }

  state(): State {
    const next = (slot: number): number => Math.min(this.#next[slot], Number.MAX_VALUE);
    return { position: this.#position, slots: this.#heap.map((slot) => [slot, next(slot)]) };
  }

  /** Notes an access, which is the one that the future has next. */
  #advance(slot: number, unit: number): void {
    const future = this.#future;
    if (this.#position < 0 || future.unitAt(this.#position) !== unit) {
      this.#position++;
      if (future.unitAt(this.#position) !== unit)
        throw new Error(`opt: access ${this.#position} is to unit ${unit}, which the first pass did not see`);
    }
    this.#set(slot, future.nextAt(this.#position));
  }

  #set(slot: number, next: number): void {
    this.#next[slot] = next;
    if (this.#place[slot] < 0) this.#place[slot] = this.#heap.push(slot) - 1;
    this.#settle(slot);
  }

  /** Moves a slot up or down to where it belongs. */
  #settle(slot: number): void {
    const [heap, next] = [this.#heap, this.#next];
    let place = this.#place[slot];
    for (let above = (place - 1) >> 1; place > 0 && next[heap[above]] < next[slot]; above = (place - 1) >> 1)
      place = this.#swap(place, above);
    for (;;) {
      let below = 2 * place + 1;
      if (below + 1 < heap.length && next[heap[below + 1]] > next[heap[below]]) below++;
      if (below >= heap.length || next[heap[below]] <= next[slot]) return;
      place = this.#swap(place, below);
    }
  }

  /** Exchanges two places of the heap. Returns the second one. */
  #swap(one: number, other: number): number {
    const heap = this.#heap;
    [heap[one], heap[other]] = [heap[other], heap[one]];
    this.#place[heap[one]] = one;
    this.#place[heap[other]] = other;
    return other;
  }
}

/** OPT: L. A. Belady, 1966, with demand paging: every access brings its unit in. */
export const opt: EvictPolicy = {
  about: "what is needed last: the least that any policy brings in",
  uses: "all",
  create: (options) => new Opt(options),
};
