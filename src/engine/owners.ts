/**
 * Owners of device memory and of invalidations: any value in TypeScript, a number in the core. Equal values are the
 * same owner. Numbers count up from 1; 0 is nobody.
 */
export class Owners {
  readonly #numbers = new Map<unknown, number>();
  readonly #values: unknown[] = [null];

  /** The number of `owner`, given out on first use. */
  number(owner: unknown): number {
    if (owner === null || owner === undefined) return 0;
    const known = this.#numbers.get(owner);
    if (known !== undefined) return known;
    const number = this.#values.push(owner) - 1;
    this.#numbers.set(owner, number);
    return number;
  }

  /** The owner with this number, null for nobody. */
  value(number: number): unknown {
    return this.#values[number] ?? null;
  }

  /** How many numbers were given out. */
  get count(): number {
    return this.#values.length - 1;
  }

  /** Restores a number from a snapshot: `owner`, or a placeholder where nobody says whose it was. */
  restore(number: number, owner: unknown): void {
    while (this.#values.length <= number) this.#values.push(null);
    this.#values[number] = owner;
    this.#numbers.set(owner, number);
  }
}
