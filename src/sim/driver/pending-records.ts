/** Records of a device that wait to run together, as four words each. */
import { RECORD_THREAD_SHIFT } from "../../../assembly/abi/record.ts";

const WORDS = 4;
/** Records for which there is room at first. */
const FIRST = 1024;

export class PendingRecords {
  /** Records that wait. */
  length = 0;
  #words = new Uint32Array(WORDS * FIRST);

  /** Appends the record at word `at`, as one of a thread. */
  push(words: Uint32Array, at: number, thread: number): void {
    const to = WORDS * this.length++;
    if (to === this.#words.length) {
      const larger = new Uint32Array(2 * to);
      larger.set(this.#words);
      this.#words = larger;
    }
    const own = this.#words;
    own[to] = words[at];
    own[to + 1] = words[at + 1];
    own[to + 2] = (words[at + 2] & ((1 << RECORD_THREAD_SHIFT) - 1)) | (thread << RECORD_THREAD_SHIFT);
    own[to + 3] = words[at + 3];
  }

  /** Takes all records out. Returns their words, which are good until the next push, and their number. */
  take(): { words: Uint32Array; n: number } {
    const n = this.length;
    this.length = 0;
    return { words: this.#words, n };
  }

  /** Returns the words of all records. */
  state(): number[] {
    return [...this.#words.subarray(0, WORDS * this.length)];
  }

  /** Appends the records of a state. */
  restore(state: readonly number[]): void {
    const words = Uint32Array.from(state);
    for (let at = 0; at < words.length; at += WORDS)
      this.push(words, at, words[at + 2] >>> RECORD_THREAD_SHIFT);
  }
}
