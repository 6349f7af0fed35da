/** Units that have left, in the order in which they did. */
export class GhostList {
  readonly #units: Set<number>;

  /** @param units what toArray() of another list returned: the first is the oldest */
  constructor(units: readonly number[] = []) {
    this.#units = new Set(units);
  }

  get size(): number {
    return this.#units.size;
  }

  has(unit: number): boolean {
    return this.#units.has(unit);
  }

  /** Adds a unit that is not in the list, as the newest. */
  push(unit: number): void {
    this.#units.add(unit);
  }

  remove(unit: number): void {
    this.#units.delete(unit);
  }

  /** Forgets the oldest units until at most `size` are left. */
  trim(size: number): void {
    for (const unit of this.#units) {
      if (this.#units.size <= size) return;
      this.#units.delete(unit);
    }
  }

  /** Returns the units, the oldest first. */
  toArray(): number[] {
    return [...this.#units];
  }
}
