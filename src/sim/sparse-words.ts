/** Words by a number that may be large, for what is known of few of the units of an address space. */

const CHUNK = 64;

/** Reads and writes words of 32 bits; each is 0 until it is set. What lies near each other is found fast. */
export class SparseWords {
  readonly #chunks = new Map<number, Int32Array>();
  /** The chunk that was used last. */
  #last: Int32Array = new Int32Array(0);
  #lastNumber = -1;

  get(n: number): number {
    const number = Math.floor(n / CHUNK);
    if (number === this.#lastNumber) return this.#last[n - number * CHUNK];
    const chunk = this.#chunks.get(number);
    if (chunk === undefined) return 0;
    this.#last = chunk;
    this.#lastNumber = number;
    return chunk[n - number * CHUNK];
  }

  set(n: number, word: number): void {
    const number = Math.floor(n / CHUNK);
    if (number !== this.#lastNumber) {
      let chunk = this.#chunks.get(number);
      if (chunk === undefined) this.#chunks.set(number, (chunk = new Int32Array(CHUNK)));
      this.#last = chunk;
      this.#lastNumber = number;
    }
    this.#last[n - number * CHUNK] = word;
  }

  /** The numbers whose words are not 0, and these words, in ascending order. */
  entries(): [n: number, word: number][] {
    const found: [n: number, word: number][] = [];
    for (const [number, chunk] of [...this.#chunks].sort(([a], [b]) => a - b))
      chunk.forEach((word, i) => {
        if (word !== 0) found.push([number * CHUNK + i, word]);
      });
    return found;
  }
}
