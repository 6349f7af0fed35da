/** Lets jobs run as far as their memory together is there. */
export class MemoryGate {
  /** Bytes that all jobs together may use. */
  readonly memory: number;
  #used = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(memory: number) {
    this.memory = memory;
  }

  /** Runs a job that may use so many bytes, at most `memory`, when they are free. */
  async run<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    while (this.#used + bytes > this.memory)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#used += bytes;
    try {
      return await work();
    } finally {
      this.#used -= bytes;
      for (const wake of this.#waiting.splice(0)) wake();
    }
  }
}
