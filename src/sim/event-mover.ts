/** Publishes where the managed driver moves pages to. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { runsOf, type Bits } from "./driver/bits.ts";
import { NoMover } from "./driver/mover.ts";
import { CPU, type Processor } from "./driver/processor.ts";
import type { VaBlock } from "./driver/va-block.ts";
import type { SimulationEvents } from "./events.ts";

export class EventMover extends NoMover {
  /** Is told; null: nobody is. */
  events: SimulationEvents | null = null;

  override faulted(block: VaBlock, i: number, p: Processor, waits: boolean): void {
    if (p !== CPU && !waits) this.events?.deviceFault(block.start + i * PAGE_SIZE);
  }

  override make(block: VaBlock, pages: Bits, at: Processor): void {
    this.#arrived(block, pages, at, false);
  }

  override move(block: VaBlock, pages: Bits, from: Processor, to: Processor): void {
    this.#left(block, pages, from);
    this.#arrived(block, pages, to, true);
  }

  override duplicate(block: VaBlock, pages: Bits, _from: Processor, to: Processor): void {
    this.#arrived(block, pages, to, true);
  }

  override drop(block: VaBlock, pages: Bits, at: Processor): void {
    this.#left(block, pages, at);
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
