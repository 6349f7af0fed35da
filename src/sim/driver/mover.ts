/** What the managed driver does to pages, as another keeper of them follows it. */
import type { Bits } from "./bits.ts";
import type { Processor } from "./processor.ts";
import type { Cause } from "./transfers.ts";
import type { VaBlock } from "./va-block.ts";

/** What is counted of pages by their ranges, beside moves. */
export type NotedBytes = "bytesPrefetched" | "bytesPrefetchedUnused" | "bytesThrashed";

/**
 * Follows the driver's decisions: an engine that really moves the pages. All `pages` are of one block and are
 * valid until the call returns.
 */
export interface PageMover {
  /** A processor has faulted on a page, the i-th of the block. */
  faulted(block: VaBlock, i: number, p: Processor): void;
  /** What is counted of pages by their ranges has happened to pages. */
  noted(block: VaBlock, pages: Bits, what: NotedBytes): void;
  /** A device uses a page, the i-th of the block, for the first time since it came along with others. */
  used(block: VaBlock, i: number): void;
  /** Makes pages that nobody holds, zeroed, at a processor. */
  make(block: VaBlock, pages: Bits, at: Processor): void;
  /** Adds to the block's dirty pages what the mover alone knows of pages that are about to leave a device. */
  leaving(block: VaBlock, pages: Bits, from: Processor): void;
  /** Moves pages; the old copy is gone, and nobody maps it any more. */
  move(block: VaBlock, pages: Bits, from: Processor, to: Processor, cause: Cause): void;
  /** Duplicates pages: both processors hold them, for reading. */
  duplicate(block: VaBlock, pages: Bits, from: Processor, to: Processor): void;
  /** Drops a processor's copy of pages that another one holds, too. */
  drop(block: VaBlock, pages: Bits, at: Processor): void;
  /** The rights of a processor to pages have changed: the block has the new ones. */
  remap(block: VaBlock, pages: Bits, p: Processor): void;
}

/** Follows nothing: the driver's own bitmaps are all there is. */
export const NO_MOVER: PageMover = {
  faulted: () => {},
  noted: () => {},
  used: () => {},
  make: () => {},
  leaving: () => {},
  move: () => {},
  duplicate: () => {},
  drop: () => {},
  remap: () => {},
};
