/** A list of slots in the order in which they were pushed. */

/** A link's value outside the list. */
const OUT = -2;
/** The end of the list. */
const END = -1;

/**
 * Slots from the oldest to the newest; a slot is in the list once or not at all. Every operation but
 * toArray() takes constant time.
 */
export class SlotList {
  /** By slot: its neighbors; END at the ends, OUT for slots that are not in the list. */
  readonly #newer: Int32Array;
  readonly #older: Int32Array;
  #oldest = END;
  #newest = END;
  #size = 0;

  /** @param slots what toArray() of another list returned: the first is the oldest */
  constructor(capacity: number, slots: readonly number[] = []) {
    this.#newer = new Int32Array(capacity).fill(OUT);
    this.#older = new Int32Array(capacity).fill(OUT);
    for (const slot of slots) this.push(slot);
  }

  get size(): number {
    return this.#size;
  }

  /** The slot that was pushed first; -1 if the list is empty. */
  get oldest(): number {
    return this.#oldest;
  }

  /** The slot that was pushed last; -1 if the list is empty. */
  get newest(): number {
    return this.#newest;
  }

  has(slot: number): boolean {
    return this.#newer[slot] !== OUT;
  }

  /** The slot that was pushed after this one, which is in the list; -1 after the newest. */
  newer(slot: number): number {
    return this.#newer[slot];
  }

  /** The slot that was pushed before this one, which is in the list; -1 before the oldest. */
  older(slot: number): number {
    return this.#older[slot];
  }

  /** Makes a slot the newest, whether it is in the list or not. */
  push(slot: number): void {
    if (slot === this.#newest) return;
    this.remove(slot);
    this.#older[slot] = this.#newest;
    this.#newer[slot] = END;
    if (this.#newest === END) this.#oldest = slot;
    else this.#newer[this.#newest] = slot;
    this.#newest = slot;
    this.#size++;
  }

  /** Takes a slot out. Returns false if it is not in the list. */
  remove(slot: number): boolean {
    const [newer, older] = [this.#newer[slot], this.#older[slot]];
    if (newer === OUT) return false;
    if (newer === END) this.#newest = older;
    else this.#older[newer] = older;
    if (older === END) this.#oldest = newer;
    else this.#newer[older] = newer;
    this.#newer[slot] = this.#older[slot] = OUT;
    this.#size--;
    return true;
  }

  /** Returns the oldest slot that need not stay; -1 if there is none. */
  oldestBut(skip: (slot: number) => boolean): number {
    let slot = this.#oldest;
    while (slot !== END && skip(slot)) slot = this.#newer[slot];
    return slot;
  }

  /** Returns the slots, the oldest first. */
  toArray(): number[] {
    const slots: number[] = [];
    for (let slot = this.#oldest; slot !== END; slot = this.#newer[slot]) slots.push(slot);
    return slots;
  }
}
