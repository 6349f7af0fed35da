/** What the managed driver does to pages, as another keeper of them follows it. */
import type { Bits } from "./bits.ts";
import type { Processor } from "./processor.ts";
import type { Cause } from "./transfers.ts";
import type { Direction } from "../paging-counts.ts";
import type { VaBlock } from "./va-block.ts";

/** What is counted of pages by their ranges, beside moves. */
export type NotedBytes = "bytesPrefetched" | "bytesPrefetchedUnused" | "bytesThrashed";

/**
 * Follows the driver's decisions: an engine that really moves the pages. All `pages` are of one block and are
 * valid until the call returns.
 */
export interface PageMover {
  /** A batch of device faults is served, which asks for this page (its address divided by 4096) first. */
  group(page: number): void;
  /** A processor has faulted on a page, the i-th of the block. `waits`: it thrashes, and is not served. */
  faulted(block: VaBlock, i: number, p: Processor, waits: boolean): void;
  /** What is counted of pages by their ranges has happened to pages. */
  noted(block: VaBlock, pages: Bits, what: NotedBytes): void;
  /** A device uses a page, the i-th of the block, for the first time since it came along with others. */
  used(block: VaBlock, i: number, device: Processor): void;
  /** A device has accessed a page, the i-th of the block, in RAM or in another device's memory. */
  remote(block: VaBlock, i: number, place: "ram" | "peer", store: boolean): void;
  /** Pages from an address on are copied in one transfer. */
  transfer(address: number, bytes: number, direction: Direction): void;
  /** Makes pages that nobody holds, zeroed, at a processor. */
  make(block: VaBlock, pages: Bits, at: Processor): void;
  /** Adds to the block's dirty pages what the mover alone knows of pages that are about to leave a device. */
  leaving(block: VaBlock, pages: Bits, from: Processor): void;
  /** Moves pages; the old copy is gone, and nobody maps it any more. */
  move(block: VaBlock, pages: Bits, from: Processor, to: Processor, cause: Cause): void;
  /** Duplicates pages: both processors hold them, for reading. */
  duplicate(block: VaBlock, pages: Bits, from: Processor, to: Processor): void;
  /** Drops a processor's copy of pages that another one holds, too; `evicted`: to make room. */
  drop(block: VaBlock, pages: Bits, at: Processor, evicted: boolean): void;
  /** The rights of a processor to pages have changed: the block has the new ones. */
  remap(block: VaBlock, pages: Bits, p: Processor): void;
}

/** Follows nothing: the driver's own bitmaps are all there is. Others extend it by what they follow. */
export class NoMover implements PageMover {
  group(_page: number): void {}
  faulted(_block: VaBlock, _i: number, _p: Processor, _waits: boolean): void {}
  noted(_block: VaBlock, _pages: Bits, _what: NotedBytes): void {}
  used(_block: VaBlock, _i: number, _device: Processor): void {}
  remote(_block: VaBlock, _i: number, _place: "ram" | "peer", _store: boolean): void {}
  transfer(_address: number, _bytes: number, _direction: Direction): void {}
  make(_block: VaBlock, _pages: Bits, _at: Processor): void {}
  leaving(_block: VaBlock, _pages: Bits, _from: Processor): void {}
  move(_block: VaBlock, _pages: Bits, _from: Processor, _to: Processor, _cause: Cause): void {}
  duplicate(_block: VaBlock, _pages: Bits, _from: Processor, _to: Processor): void {}
  drop(_block: VaBlock, _pages: Bits, _at: Processor, _evicted: boolean): void {}
  remap(_block: VaBlock, _pages: Bits, _p: Processor): void {}
}

/** Tells several movers, one after the other. */
export class Movers implements PageMover {
  readonly #all: readonly PageMover[];

  constructor(all: readonly PageMover[]) {
    this.#all = all;
  }

  group(page: number): void {
    for (const mover of this.#all) mover.group(page);
  }

  faulted(block: VaBlock, i: number, p: Processor, waits: boolean): void {
    for (const mover of this.#all) mover.faulted(block, i, p, waits);
  }

  noted(block: VaBlock, pages: Bits, what: NotedBytes): void {
    for (const mover of this.#all) mover.noted(block, pages, what);
  }

  used(block: VaBlock, i: number, device: Processor): void {
    for (const mover of this.#all) mover.used(block, i, device);
  }

  remote(block: VaBlock, i: number, place: "ram" | "peer", store: boolean): void {
    for (const mover of this.#all) mover.remote(block, i, place, store);
  }

  transfer(address: number, bytes: number, direction: Direction): void {
    for (const mover of this.#all) mover.transfer(address, bytes, direction);
  }

  make(block: VaBlock, pages: Bits, at: Processor): void {
    for (const mover of this.#all) mover.make(block, pages, at);
  }

  leaving(block: VaBlock, pages: Bits, from: Processor): void {
    for (const mover of this.#all) mover.leaving(block, pages, from);
  }

  move(block: VaBlock, pages: Bits, from: Processor, to: Processor, cause: Cause): void {
    for (const mover of this.#all) mover.move(block, pages, from, to, cause);
  }

  duplicate(block: VaBlock, pages: Bits, from: Processor, to: Processor): void {
    for (const mover of this.#all) mover.duplicate(block, pages, from, to);
  }

  drop(block: VaBlock, pages: Bits, at: Processor, evicted: boolean): void {
    for (const mover of this.#all) mover.drop(block, pages, at, evicted);
  }

  remap(block: VaBlock, pages: Bits, p: Processor): void {
    for (const mover of this.#all) mover.remap(block, pages, p);
  }
}
