/** Publishes where the managed driver moves pages to, beside the engine that follows it. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { runsOf, type Bits } from "./driver/bits.ts";
import type { NotedBytes, PageMover } from "./driver/mover.ts";
import { CPU, type Processor } from "./driver/processor.ts";
import type { Cause } from "./driver/transfers.ts";
import type { VaBlock } from "./driver/va-block.ts";
import type { SimulationEvents } from "./events.ts";

export class EventMover implements PageMover {
  /** Is told; null: nobody is. */
  events: SimulationEvents | null = null;
  readonly #inner: PageMover;

  /** @param inner follows the driver, too */
  constructor(inner: PageMover) {
    this.#inner = inner;
  }

  faulted(block: VaBlock, i: number, p: Processor): void {
    this.#inner.faulted(block, i, p);
    if (p !== CPU) this.events?.deviceFault(block.start + i * PAGE_SIZE);
  }

  noted(block: VaBlock, pages: Bits, what: NotedBytes): void {
    this.#inner.noted(block, pages, what);
  }

  used(block: VaBlock, i: number): void {
    this.#inner.used(block, i);
  }

  make(block: VaBlock, pages: Bits, at: Processor): void {
    this.#inner.make(block, pages, at);
    this.#arrived(block, pages, at, false);
  }

  leaving(block: VaBlock, pages: Bits, from: Processor): void {
    this.#inner.leaving(block, pages, from);
  }

  move(block: VaBlock, pages: Bits, from: Processor, to: Processor, cause: Cause): void {
    this.#inner.move(block, pages, from, to, cause);
    this.#left(block, pages, from);
    this.#arrived(block, pages, to, true);
  }

  duplicate(block: VaBlock, pages: Bits, from: Processor, to: Processor): void {
    this.#inner.duplicate(block, pages, from, to);
    this.#arrived(block, pages, to, true);
  }

  drop(block: VaBlock, pages: Bits, at: Processor): void {
    this.#inner.drop(block, pages, at);
    this.#left(block, pages, at);
  }

  remap(block: VaBlock, pages: Bits, p: Processor): void {
    this.#inner.remap(block, pages, p);
  }

  #arrived(block: VaBlock, pages: Bits, where: Processor, copied: boolean): void {
    if (this.events === null) return;
    for (const [first, end] of runsOf(pages))
      this.events.arrived(block.start + first * PAGE_SIZE, end - first, where, copied);
  }

  #left(block: VaBlock, pages: Bits, where: Processor): void {
    if (this.events === null) return;
    for (const [first, end] of runsOf(pages))
      this.events.left(block.start + first * PAGE_SIZE, end - first, where);
  }
}
