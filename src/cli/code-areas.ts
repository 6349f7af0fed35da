/**
 * Where the code of a trace lies, from a sample of its instructions: for the message about a range without
 * any.
 */
import { address, percent } from "./words.ts";

/** Instructions of a chunk that are looked at, at most. */
const SAMPLES = 64;
/** Code farther apart than this lies in different areas. */
const GAP = 1 << 20;
/** Areas that a message names. */
const AREAS_MAX = 4;

export class CodeAreas {
  readonly #addresses: number[] = [];

  /**
   * Takes a sample of the chunk's `I` lines: all of a short chunk, some at equal distances of a longer one.
   */
  look(chunk: Uint8Array): void {
    const step = Math.max(1, Math.floor(chunk.length / SAMPLES));
    for (let from = 0; from < chunk.length;) {
      const at = instructionFrom(chunk, from);
      if (at < 0) return;
      const digits = /^I[ \t]+([0-9a-f]{1,12}),/i.exec(String.fromCharCode(...chunk.subarray(at, at + 32)));
      if (digits !== null) this.#addresses.push(Number.parseInt(digits[1], 16));
      from = step < 1024 ? at + 1 : Math.max(at + 1, from + step);
    }
  }

  /** "0x400000-0x402fff (98.0 %), 0x4000000-0x4022fff (2.0 %)"; "" without instructions. */
  describe(): string {
    const sorted = [...this.#addresses].sort((a, b) => a - b);
    const areas: { from: number; to: number; count: number }[] = [];
    for (const pc of sorted) {
      const last = areas.at(-1);
      if (last !== undefined && pc - last.to <= GAP) {
        last.to = pc;
        last.count++;
      } else areas.push({ from: pc, to: pc, count: 1 });
    }
    return areas
      .sort((a, b) => b.count - a.count)
      .slice(0, AREAS_MAX)
      .map(({ from, to, count }) => `${address(from)}-${address(to)} (${percent(count, sorted.length)})`)
      .join(", ");
  }
}

/** The offset of the first `I` that begins a line from `from` on; -1 if there is none. */
function instructionFrom(chunk: Uint8Array, from: number): number {
  for (let at = chunk.indexOf(0x49, from); at >= 0; at = chunk.indexOf(0x49, at + 1))
    if (at === 0 || chunk[at - 1] === 0x0a) return at;
  return -1;
}
