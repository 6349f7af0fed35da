/** Counts what the managed driver does to pages by their named ranges. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { BLOCK_PAGES, nextBit, type Bits } from "./driver/bits.ts";
import { NoMover, type NotedBytes } from "./driver/mover.ts";
import { CPU, type Processor } from "./driver/processor.ts";
import type { Cause } from "./driver/transfers.ts";
import type { Direction } from "./paging-counts.ts";
import type { VaBlock } from "./driver/va-block.ts";
import type { RangeBytes, RangeCounts } from "./range-counts.ts";

export class RangeMover extends NoMover {
  /** Counts; the ledger sets it. */
  ranges: RangeCounts | null = null;

  override group(page: number): void {
    this.ranges?.group(page * PAGE_SIZE);
  }

  override faulted(block: VaBlock, i: number, p: Processor): void {
    this.ranges?.fault(addressOf(block, i), p === CPU ? "cpu" : "device");
  }

  override noted(block: VaBlock, pages: Bits, what: NotedBytes): void {
    this.#note(block, pages, what);
  }

  override used(block: VaBlock, i: number): void {
    this.ranges?.move(addressOf(block, i), "bytesPrefetchedUsed");
  }

  override remote(block: VaBlock, i: number, place: "ram" | "peer", store: boolean): void {
    this.ranges?.remote(addressOf(block, i), place, store);
  }

  override transfer(address: number, bytes: number, direction: Direction): void {
    this.ranges?.transfer(address, bytes, direction);
  }

  override make(block: VaBlock, pages: Bits, at: Processor): void {
    if (at !== CPU) this.#note(block, pages, "bytesIn");
  }

  override move(block: VaBlock, pages: Bits, from: Processor, to: Processor, cause: Cause): void {
    if (to !== CPU) this.#note(block, pages, "bytesIn");
    if (from === CPU) return;
    this.#note(block, pages, "bytesOut");
    if (cause === "eviction") this.#note(block, pages, "bytesOutEvicted");
  }

  override duplicate(block: VaBlock, pages: Bits, _from: Processor, to: Processor): void {
    if (to !== CPU) this.#note(block, pages, "bytesIn");
  }

  override drop(block: VaBlock, pages: Bits, at: Processor, evicted: boolean): void {
    if (at === CPU) return;
    this.#note(block, pages, "bytesOut");
    if (evicted) this.#note(block, pages, "bytesOutEvicted");
  }

  #note(block: VaBlock, pages: Bits, how: RangeBytes): void {
    const { ranges } = this;
    if (ranges === null || ranges.empty) return;
    for (let i = nextBit(pages, 0); i < BLOCK_PAGES; i = nextBit(pages, i + 1))
      ranges.move(addressOf(block, i), how);
  }
}

function addressOf(block: VaBlock, i: number): number {
  return block.start + i * PAGE_SIZE;
}
