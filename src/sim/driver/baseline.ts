/**
 * The baselines of every question about placement: a program that keeps its arrays in both memories and
 * copies them itself (cudaMalloc and cudaMemcpy). Nothing faults. An array is copied as a whole, in one
 * transfer, and only if the copy that is there is not the newest.
 *
 *   explicit   a kernel's arrays are copied to the device before it; those that it has written are copied
 *              back after it, and the device keeps none
 *   resident   an array stays on the device from its first use on; it is copied only after the other side has
 *              written it
 *
 * The accesses of a kernel are not known before it runs, so an array counts as copied when it is first used:
 * the counts are the same.
 */
import { ENOMEM } from "../../../assembly/uapi/errno.ts";
import { HmmError } from "../../index.ts";
import { RIGHTS_READ } from "../policies/rights.ts";
import {
  BLOCK_PAGES,
  countBits,
  isEmpty,
  keepBits,
  newBits,
  removeBits,
  setRange,
  type Bits,
} from "./bits.ts";
import type { ManagedMemory } from "./managed-memory.ts";
import { ACCESS_READ, ACCESS_WRITE, CPU, type Processor } from "./processor.ts";
import type { VaBlock } from "./va-block.ts";

const PAGE_BYTES = 4096;

/** An array, or 2 MiB that belong to none. */
interface CopiedArray {
  /** Its first page, and the first one after it. */
  first: number;
  end: number;
}

/** What a snapshot keeps. Arrays are named by their indices in `arrays`. */
export interface BaselineState {
  arrays: CopiedArray[];
  byBlock: [block: number, arrays: number[]][];
  used: number[];
  blocks: number[];
  running: number;
}

/** A program that copies its arrays. */
export class Baseline {
  readonly #memory: ManagedMemory;
  readonly #kind: "explicit" | "resident";
  readonly #device: Processor;
  readonly #chunks: number;
  /** By block of 2 MiB: the arrays with a page in it, the newest first. */
  readonly #arrays = new Map<number, CopiedArray[]>();
  /** Arrays that the device has used since it last kept none. */
  readonly #used = new Set<CopiedArray>();
  /** Blocks with a page on the device. */
  readonly #blocks = new Set<VaBlock>();
  /** Kernels that run. */
  #running = 0;

  /** @param chunks pieces of 2 MiB that the device's memory has */
  constructor(memory: ManagedMemory, kind: "explicit" | "resident", device: Processor, chunks: number) {
    this.#memory = memory;
    this.#kind = kind;
    this.#device = device;
    this.#chunks = chunks;
  }

  state(): BaselineState {
    const all = [...new Set([...this.#arrays.values()].flat())];
    return {
      arrays: all,
      // Each list keeps its order: the newest array of a block counts.
      byBlock: [...this.#arrays].map(([block, arrays]) => [block, arrays.map((one) => all.indexOf(one))]),
      used: [...this.#used].map((one) => all.indexOf(one)),
      blocks: [...this.#blocks].map(({ number }) => number),
      running: this.#running,
    };
  }

  /** Makes it what state() has returned. The memory has its blocks. */
  restore({ arrays, byBlock, used, blocks, running }: BaselineState): void {
    const all = arrays.map((one) => ({ ...one }));
    for (const [block, list] of byBlock)
      this.#arrays.set(
        block,
        list.map((i) => all[i]),
      );
    for (const i of used) this.#used.add(all[i]);
    for (const number of blocks) this.#blocks.add(this.#memory.block(number));
    this.#running = running;
  }

  /** Notes an array: `bytes` from `start` on. */
  array(start: number, bytes: number): void {
    const array = { first: Math.floor(start / PAGE_BYTES), end: Math.ceil((start + bytes) / PAGE_BYTES) };
    for (let n = Math.floor(array.first / BLOCK_PAGES); n * BLOCK_PAGES < array.end; n++)
      this.#arraysOf(n).unshift(array);
  }

  /**
   * Copies the array of a page (its address divided by 4096) for an access of a processor that finds no
   * mapping. Throws HmmError ENOMEM if the device's memory has no room for what is to be there at once.
   */
  access(p: Processor, page: number, write: boolean): void {
    if (p === CPU && this.#running === 0) this.#endKernel();
    const array = this.#arrayOf(page);
    if (p === this.#device) {
      this.#used.add(array);
      this.#reserve(array);
    }
    this.#bring(array, p, write);
  }

  /** A kernel begins or ends. */
  kernel(begins: boolean): void {
    this.#running = Math.max(this.#running + (begins ? 1 : -1), 0);
    if (!begins && this.#running === 0) this.#endKernel();
  }

  /** With `explicit`: what the device has written goes back, and the device keeps nothing. */
  #endKernel(): void {
    if (this.#kind === "resident") return;
    for (const array of this.#used) {
      this.#bring(array, CPU, true);
      this.#eachPart(array, (block) => this.#blocks.delete(block));
    }
    this.#used.clear();
  }

  /** Makes a processor's copy of an array the newest; for a write, the only one. */
  #bring(array: CopiedArray, p: Processor, write: boolean): void {
    const memory = this.#memory;
    const { topology, transfers } = memory;
    let [source, copied] = [p, 0];
    this.#eachPart(array, (block, pages) => {
      copied += countBits(pages) * PAGE_BYTES;
      const missing = pages.slice();
      removeBits(missing, block.resident[p]);
      for (let q = 0; q < topology.processors; q++) {
        const held = missing.slice();
        keepBits(held, block.resident[q]);
        if (!isEmpty(held)) source = q;
      }
      memory.makeResident(block, pages, p, null, !write);
      for (let q = 0; q < topology.processors; q++) if (q !== p) memory.limit(block, pages, q, RIGHTS_READ);
      memory.map(block, pages, p, p, write ? ACCESS_WRITE : ACCESS_READ);
    });
    if (source !== p) transfers.count(copied, source, p, "copy", array.first * PAGE_BYTES);
  }

  #reserve(array: CopiedArray): void {
    this.#eachPart(array, (block) => {
      if (!this.#blocks.has(block) && this.#blocks.size === this.#chunks)
        throw new HmmError(ENOMEM, "copy", "device memory", { address: block.start });
      this.#blocks.add(block);
    });
  }

  /** Calls `how` for each block with pages of an array, and with these pages. */
  #eachPart({ first, end }: CopiedArray, how: (block: VaBlock, pages: Bits) => void): void {
    for (let n = Math.floor(first / BLOCK_PAGES); n * BLOCK_PAGES < end; n++) {
      const block = this.#memory.block(n);
      const pages = newBits();
      const from = n * BLOCK_PAGES;
      setRange(pages, Math.max(first - from, 0), Math.min(end - from, block.pages));
      how(block, pages);
    }
  }

  #arrayOf(page: number): CopiedArray {
    const arrays = this.#arraysOf(Math.floor(page / BLOCK_PAGES));
    const known = arrays.find(({ first, end }) => first <= page && page < end);
    if (known !== undefined) return known;
    const first = page - (page % BLOCK_PAGES);
    const array = { first, end: first + BLOCK_PAGES };
    arrays.push(array);
    return array;
  }

  #arraysOf(block: number): CopiedArray[] {
    let arrays = this.#arrays.get(block);
    if (arrays === undefined) this.#arrays.set(block, (arrays = []));
    return arrays;
  }
}
