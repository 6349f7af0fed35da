/** Lets jobs run as far as there are workers, and memory for all of them together. */

/** A job that waits, and the bytes that it may use. */
interface Waiting {
  bytes: number;
  enter: () => void;
}

/** Jobs enter in the order in which they came, so that a large one is not overtaken for ever. */
export class Gate {
  /** Bytes that all jobs together may use. */
  readonly memory: number;
  #workers: number;
  #free: number;
  readonly #waiting: Waiting[] = [];

  /** @param workers jobs that run at a time, at most */
  constructor(workers: number, memory: number) {
    this.memory = memory;
    this.#workers = workers;
    this.#free = memory;
  }

  /** Resolves when a worker is free, and `bytes` are, at most `memory`. The caller leaves at the end. */
  enter(bytes: number): Promise<void> {
    return new Promise((enter) => {
      this.#waiting.push({ bytes, enter });
      this.#admit();
    });
  }

  /** Gives back what {@link enter} gave. */
  leave(bytes: number): void {
    this.#workers++;
    this.#free += bytes;
    this.#admit();
  }

  #admit(): void {
    while (this.#waiting.length > 0 && this.#workers > 0 && this.#waiting[0].bytes <= this.#free) {
      const { bytes, enter } = this.#waiting.shift()!;
      this.#workers--;
      this.#free -= bytes;
      enter();
    }
  }
}
