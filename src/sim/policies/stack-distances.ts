/**
 * LRU's misses at every size in one pass: R. L. Mattson et al., "Evaluation techniques for storage
 * hierarchies", 1970, with a Fenwick tree over the times of the last accesses.
 */

/** Times that the tree has at first. */
const TIMES = 1 << 12;

/**
 * Counts accesses by their stack distance: how many different units were accessed since the unit's last
 * access, it included. LRU with room for c units misses those with a greater distance than c, and the first
 * ones. Each access takes time by the logarithm of the number of units.
 */
export class StackDistances {
  /** By distance: how many accesses. */
  #hits = new Float64Array(TIMES);
  /** By unit: the time of its last access, from 1 on. */
  readonly #times = new Map<number, number>();
  /** A Fenwick tree: by time, 1 if it is the time of a unit's last access. */
  #tree = new Int32Array(TIMES + 1);
  #now = 0;
  #accesses = 0;
  #last = -1;

  /** Accesses so far. */
  get accesses(): number {
    return this.#accesses;
  }

  /** Units so far. */
  get units(): number {
    return this.#times.size;
  }

  /** Counts an access. */
  add(unit: number): void {
    this.#accesses++;
    if (unit === this.#last) {
      this.#hits[1]++;
      return;
    }
    this.#last = unit;
    const before = this.#times.get(unit);
    if (before !== undefined) {
      const distance = this.#times.size - this.#upTo(before - 1);
      this.#hits[distance]++;
      this.#change(before, -1);
    }
    if (this.#now + 1 === this.#tree.length) this.#renumber(unit);
    this.#times.set(unit, ++this.#now);
    this.#change(this.#now, 1);
    if (this.#times.size >= this.#hits.length) this.#hits = longer(this.#hits);
  }

  /**
   * Returns LRU's misses by the number of units that have room, from 0 on: all accesses, and so on down to
   * the first access to each unit.
   */
  misses(): Float64Array {
    const misses = new Float64Array(this.#times.size + 1);
    misses[0] = this.#accesses;
    for (let size = 1; size < misses.length; size++) misses[size] = misses[size - 1] - this.#hits[size];
    return misses;
  }

  /** Numbers the last accesses anew, in their order, in a tree with twice as many times; `unit` has none. */
  #renumber(unit: number): void {
    this.#times.delete(unit);
    const units = [...this.#times].sort((a, b) => a[1] - b[1]);
    this.#tree = new Int32Array(Math.max(TIMES, 2 * units.length + 2) + 1);
    this.#now = 0;
    for (const [other] of units) {
      this.#times.set(other, ++this.#now);
      this.#change(this.#now, 1);
    }
  }

  #change(time: number, by: number): void {
    const tree = this.#tree;
    for (let i = time; i < tree.length; i += i & -i) tree[i] += by;
  }

  /** How many units were accessed last at a time up to this one. */
  #upTo(time: number): number {
    let sum = 0;
    for (let i = time; i > 0; i -= i & -i) sum += this.#tree[i];
    return sum;
  }
}

function longer(array: Float64Array): Float64Array<ArrayBuffer> {
  const twice = new Float64Array(2 * array.length);
  twice.set(array);
  return twice;
}
