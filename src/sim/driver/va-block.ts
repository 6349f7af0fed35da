/**
 * A VA block: the 2 MiB-aligned piece of an allocation that the managed driver serves as a whole
 * (uvm_va_block.c). Its state is one bitmap of pages for each fact.
 *
 *   resident[p]     processor p holds a copy           rights[p][r]   p may do RIGHTS r with the page
 *   dirty[p]        stored to since it came to p        touched[p]     used since it came to p
 *   prefetched[p]   it came to p along with another     left[p]        it has left p before
 */
import {
  addBits,
  bitsToText,
  BLOCK_BYTES,
  BLOCK_PAGES,
  hasBit,
  newBits,
  removeBits,
  setFromText,
  WORDS,
  type Bits,
} from "./bits.ts";
import { NOWHERE, type Processor, type ProcessorMask } from "./processor.ts";
import { RIGHTS_ATOMIC, RIGHTS_NONE, RIGHTS_READ } from "../policies/rights.ts";
import { BlockThrashing, type BlockThrashingState } from "../policies/thrashing.ts";

/** What a program advised for a block (cudaMemAdvise). */
export interface Advice {
  preferred: Processor;
  accessedBy: ProcessorMask;
  readMostly: boolean;
}

/** What a snapshot keeps of a block; bitmaps as text. */
export interface BlockState extends Advice {
  number: number;
  pages: number;
  /** Those of residency and rights, by processor, then dirty, touched, prefetched and left. */
  bits: string[];
  thrashing: BlockThrashingState;
  lastDestination: Processor;
  migrations: number;
}

/** One block. */
export class VaBlock implements Advice {
  /** Its address divided by 2 MiB. */
  readonly number: number;
  /** Its pages, 1 to 512: fewer where its allocation ends. */
  readonly pages: number;
  preferred: Processor = NOWHERE;
  accessedBy: ProcessorMask = 0;
  readMostly = false;
  readonly resident: Bits[];
  /** By processor and right (RIGHTS_READ to RIGHTS_ATOMIC); a page has all rights up to its highest. */
  readonly rights: Bits[][];
  readonly dirty: Bits[];
  readonly touched: Bits[];
  readonly prefetched: Bits[];
  readonly left: Bits[];
  readonly thrashing: BlockThrashing;
  /** Where fault migrations went last, and how many pages since that changed (B1, step 7). */
  lastDestination: Processor = NOWHERE;
  migrations = 0;

  constructor(number: number, pages: number, processors: number) {
    this.number = number;
    this.pages = pages;
    this.thrashing = new BlockThrashing(number);
    const each = (): Bits[] => Array.from({ length: processors }, newBits);
    [this.resident, this.dirty, this.touched, this.prefetched, this.left] = [
      each(),
      each(),
      each(),
      each(),
      each(),
    ];
    this.rights = Array.from({ length: processors }, () => [RIGHTS_NONE, 1, 2, RIGHTS_ATOMIC].map(newBits));
  }

  /** The address of its first byte. */
  get start(): number {
    return this.number * BLOCK_BYTES;
  }

  /** Whether it has all 2 MiB. */
  get full(): boolean {
    return this.pages === BLOCK_PAGES;
  }

  /** Whether a processor holds a page, and no other one does. */
  holdsAlone(p: Processor, page: number): boolean {
    return this.holders(page) === 1 << p;
  }

  /** Returns the processors that hold a page. */
  holders(page: number): ProcessorMask {
    let mask = 0;
    for (let p = 0; p < this.resident.length; p++) if (hasBit(this.resident[p], page)) mask |= 1 << p;
    return mask;
  }

  /** Adds the pages that any processor holds to `out`. */
  addHeld(out: Bits): void {
    for (const resident of this.resident) addBits(out, resident);
  }

  /** Returns the highest right of a processor to a page. */
  rightsOf(p: Processor, page: number): number {
    let right = RIGHTS_ATOMIC;
    while (right > RIGHTS_NONE && !hasBit(this.rights[p][right], page)) right--;
    return right;
  }

  /** Gives a processor the rights up to `right` to pages; higher ones that it has stay. */
  allow(p: Processor, pages: Bits, right: number): void {
    for (let r = RIGHTS_READ; r <= right; r++) addBits(this.rights[p][r], pages);
  }

  state(): BlockState {
    const { number, pages, preferred, accessedBy, readMostly, lastDestination, migrations } = this;
    const bits = this.#bitmaps().map(bitsToText);
    const thrashing = this.thrashing.state();
    return { number, pages, preferred, accessedBy, readMostly, bits, thrashing, lastDestination, migrations };
  }

  /** Returns the block of a state. */
  static from(state: BlockState, processors: number): VaBlock {
    const { number, pages, bits, thrashing, ...fields } = state;
    const block = new VaBlock(number, pages, processors);
    Object.assign(block, fields);
    block.#bitmaps().forEach((one, i) => setFromText(one, bits[i]));
    block.thrashing.restore(thrashing);
    return block;
  }

  #bitmaps(): Bits[] {
    const { resident, rights, dirty, touched, prefetched, left } = this;
    return [resident, rights.flat(), dirty, touched, prefetched, left].flat();
  }

  /** Leaves a processor at most `right` to pages: RIGHTS_NONE unmaps them. Returns whether that took any. */
  limit(p: Processor, pages: Bits, right: number): boolean {
    let taken = 0;
    for (let r = right + 1; r <= RIGHTS_ATOMIC; r++) {
      for (let w = 0; w < WORDS; w++) taken |= this.rights[p][r][w] & pages[w];
      removeBits(this.rights[p][r], pages);
    }
    return taken !== 0;
  }
}
