/**
 * A serial loop that is offloaded, as a compiler would run it on a device: its iterations are dealt to
 * threads in blocks. An iteration begins where the instruction that made the loop's first access comes again.
 */

/** 32-bit words of a record; the last one is the low half of the instruction's address. */
const ID_WORD = 3;
/** Threads that records can name. */
const THREADS = 1 << 16;

/** What a snapshot keeps. */
export interface LoopState {
  first: number | null;
  iteration: number;
}

export class LoopSplit {
  readonly #block: number;
  /** The instruction that made the loop's first access; null: there is none yet. */
  #first: number | null = null;
  /** The current iteration, from 0 on. */
  #iteration = -1;

  /** @param block iterations that follow each other on one thread, at least 1 */
  constructor(block: number) {
    this.#block = block;
  }

  /** Whether the loop has made an access. */
  get runs(): boolean {
    return this.#first !== null;
  }

  /** Another loop begins. */
  restart(): void {
    this.#first = null;
    this.#iteration = -1;
  }

  /** Returns the thread of the loop's next record, at word `at`: iteration i is thread ⌊i / block⌋'s. */
  thread(words: Uint32Array, at: number): number {
    const id = words[at + ID_WORD];
    this.#first ??= id;
    if (id === this.#first) this.#iteration++;
    return Math.floor(this.#iteration / this.#block) % THREADS;
  }

  state(): LoopState {
    return { first: this.#first, iteration: this.#iteration };
  }

  /** Makes the loop what state() has returned. */
  restore({ first, iteration }: LoopState): void {
    this.#first = first;
    this.#iteration = iteration;
  }
}
