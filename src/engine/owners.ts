/**
 * The owners of device memory and of invalidations: any value in TypeScript, a number in the core. Equal
 * values are the same owner. Numbers count up from 1; 0 means that there is no owner.
 */
export class Owners {
  readonly #numbers = new Map<unknown, number>();
  readonly #values: unknown[] = [null];

  /** Returns the number of `owner`, assigned on first use. null and undefined are 0. */
  number(owner: unknown): number {
    if (owner === null || owner === undefined) return 0;
    const known = this.#numbers.get(owner);
    if (known !== undefined) return known;
    const number = this.#values.push(owner) - 1;
    this.#numbers.set(owner, number);
    return number;
  }

  /** Returns the owner with this number, or null if there is none. */
  value(number: number): unknown {
    return this.#values[number] ?? null;
  }

  /** How many numbers are assigned. */
  get count(): number {
    return this.#values.length - 1;
  }

  /** Restores a number from a snapshot: `owner` is the value, or a placeholder if the owner is unknown. */
  restore(number: number, owner: unknown): void {
    while (this.#values.length <= number) this.#values.push(null);
    this.#values[number] = owner;
    this.#numbers.set(owner, number);
  }
}
