/** Words by a number that may be large, for what is known of few of the units of an address space. */

const CHUNK = 64;

/**
 * Reads and writes words of 32 bits; each is 0 until it is set. What lies near one of the last two that were
 * used is found fast: a page mostly leaves for one that comes.
 */
export class SparseWords {
  readonly #chunks = new Map<number, Int32Array>();
  /** The chunk that was used last, and the one before it. */
  #last: Int32Array = new Int32Array(0);
  #lastNumber = -1;
  #before: Int32Array = new Int32Array(0);
  #beforeNumber = -1;

  get(n: number): number {
    const number = Math.floor(n / CHUNK);
    if (number !== this.#lastNumber) {
      const chunk = number === this.#beforeNumber ? this.#before : this.#chunks.get(number);
      if (chunk === undefined) return 0;
      this.#use(chunk, number);
    }
    return this.#last[n - number * CHUNK];
  }

  set(n: number, word: number): void {
    const number = Math.floor(n / CHUNK);
    if (number !== this.#lastNumber) {
      let chunk = number === this.#beforeNumber ? this.#before : this.#chunks.get(number);
      if (chunk === undefined) this.#chunks.set(number, (chunk = new Int32Array(CHUNK)));
      this.#use(chunk, number);
    }
    this.#last[n - number * CHUNK] = word;
  }

  /** Makes a chunk the one that was used last. */
  #use(chunk: Int32Array, number: number): void {
    this.#before = this.#last;
    this.#beforeNumber = this.#lastNumber;
    this.#last = chunk;
    this.#lastNumber = number;
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
