/** Lets jobs in as far as there are places, and memory for all of them together. */

/** A job that waits, and the bytes that it may use. */
interface Waiting {
  bytes: number;
  enter: () => void;
}

/** Jobs enter in the order in which they came, so that a large one is not overtaken for ever. */
export class Gate {
  /** Bytes that all jobs together may use. */
  readonly memory: number;
  #places: number;
  #inside = 0;
  #free: number;
  readonly #waiting: Waiting[] = [];

  /** @param places jobs that are inside at a time, at most */
  constructor(places: number, memory: number) {
    this.memory = memory;
    this.#places = places;
    this.#free = memory;
  }

  /** Jobs that are inside at a time, at most; those that are beyond it stay. */
  set places(places: number) {
    this.#places = places;
    this.#admit();
  }

  /** Resolves when there is a place, and `bytes` are, at most `memory`. The caller leaves at the end. */
  enter(bytes: number): Promise<void> {
    return new Promise((enter) => {
      this.#waiting.push({ bytes, enter });
      this.#admit();
    });
  }

  /** Gives back what {@link enter} gave. */
  leave(bytes: number): void {
    this.#inside--;
    this.#free += bytes;
    this.#admit();
  }

  #admit(): void {
    while (this.#waiting.length > 0 && this.#inside < this.#places && this.#waiting[0].bytes <= this.#free) {
      const { bytes, enter } = this.#waiting.shift()!;
      this.#inside++;
      this.#free -= bytes;
      enter();
    }
  }
}
