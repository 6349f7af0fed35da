/** Events that are due later, in the order of their times; of equal times, in the order of their arrival. */

interface Entry<T> {
  time: number;
  sequence: number;
  what: T;
}

/** A binary heap of events. */
export class EventQueue<T> {
  readonly #heap: Entry<T>[] = [];
  #sequence = 0;

  /** When the next event is due; Infinity: there is none. */
  get next(): number {
    return this.#heap.length === 0 ? Infinity : this.#heap[0].time;
  }

  /** Adds an event that is due at a time. */
  push(time: number, what: T): void {
    const heap = this.#heap;
    let at = heap.push({ time, sequence: this.#sequence++, what }) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(at, parent)) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** Takes the next event away, which must be there. */
  pop(): { time: number; what: T } {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ;) {
      const left = 2 * at + 1;
      let least = at;
      if (left < heap.length && this.#before(left, least)) least = left;
      if (left + 1 < heap.length && this.#before(left + 1, least)) least = left + 1;
      if (least === at) return first;
      this.#swap(at, least);
      at = least;
    }
  }

  #before(a: number, b: number): boolean {
    const [one, other] = [this.#heap[a], this.#heap[b]];
    return one.time < other.time || (one.time === other.time && one.sequence < other.sequence);
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap;
    [heap[a], heap[b]] = [heap[b], heap[a]];
  }
}
