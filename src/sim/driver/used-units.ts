/** The units of a device's memory that it uses, in the order in which it does, for a bound. */
import { PAGE_SIZE } from "../../../assembly/uapi/page.ts";
import type { References } from "../policies/references.ts";
import { BLOCK_PAGES } from "./bits.ts";
import type { VaBlock } from "./va-block.ts";

/** 32-bit words of a record. */
const WORDS = 4;

/** Keeps uses among references; accesses to other memory than the device's own are none. */
export class UsedUnits {
  readonly #references: References;
  readonly #unitBytes: number;

  constructor(references: References, unitBytes: number) {
    this.#references = references;
    this.#unitBytes = unitBytes;
  }

  /** The device uses its page, the i-th of a block. */
  page(block: VaBlock, i: number): void {
    const page = block.number * BLOCK_PAGES + i;
    this.#references.add(Math.floor((page * PAGE_SIZE) / this.#unitBytes));
  }

  /** Records [from, to) were made, of which the device's found their pages in its memory. */
  records(words: Uint32Array, from: number, to: number): void {
    this.#references.note(words.subarray(WORDS * from, WORDS * to), to - from, this.#unitBytes);
  }
}
