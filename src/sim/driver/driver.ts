/**
 * The managed driver: serves faults of the CPU and the devices, and notifications of access counters, as
 * NVIDIA's does (uvm_va_block.c, uvm_gpu_replayable_faults.c, uvm_gpu_access_counters.c).
 */
import type { SimulationEvents } from "../events.ts";
import type { Notification } from "../policies/access-counters.ts";
import { advise, migrate } from "./advise.ts";
import { PAGE_SIZE } from "../../../assembly/uapi/page.ts";
import { BLOCK_BYTES, BLOCK_PAGES, newBits, nextBit, removeBits } from "./bits.ts";
import { CPU_FAULT_NS, GROUP_NS, type Clock } from "./clock.ts";
import type { Batch, FaultedPage } from "./fault-buffer.ts";
import type { ManagedMemory } from "./managed-memory.ts";
import type { MemoryState } from "./memory-options.ts";
import { ACCESS_PREFETCH, ACCESS_READ, ACCESS_WRITE, CPU, type Processor } from "./processor.ts";
import { BlockService, type DriverOptions } from "./service.ts";

/** Notifications of a batch, at most. */
const NOTIFICATIONS = 256;
/** Pages of 64 KiB. */
const PART_PAGES = 16;

/** Advice as it was given. */
type DriverAdvice = [start: number, bytes: number, advice: number, p: Processor];

/** What a snapshot keeps of the driver. */
export interface DriverState {
  advice: DriverAdvice[];
  memory: MemoryState;
}

export class ManagedDriver {
  readonly memory: ManagedMemory;
  /** Is told what happens. */
  events: SimulationEvents | null = null;
  readonly #clock: Clock;
  readonly #service: BlockService;
  /** All advice so far. */
  readonly #advice: DriverAdvice[] = [];

  constructor(options: DriverOptions) {
    this.memory = options.memory;
    this.#clock = options.clock;
    this.#service = new BlockService(options);
  }

  /** Gives advice (a value of ADVISE) about a processor for `bytes` from `start` on: cudaMemAdvise. */
  advise(start: number, bytes: number, advice: number, p: Processor): void {
    this.#advice.push([start, bytes, advice, p]);
    advise(this.memory, { start, bytes }, advice, p);
  }

  state(): DriverState {
    return { advice: [...this.#advice], memory: this.memory.state() };
  }

  /** Makes the driver, which has done nothing yet, what state() has returned. */
  restore({ advice, memory }: DriverState): void {
    for (const one of advice) this.advise(...one); // there are no blocks, so this is for later ones
    this.memory.restore(memory);
    this.#service.adopt();
  }

  /** Moves `bytes` from `start` on to a processor: cudaMemPrefetchAsync. */
  migrate(start: number, bytes: number, to: Processor): void {
    migrate(this.memory, this.#service, { start, bytes }, to);
  }

  /**
   * Serves a fault of the CPU at a page (its address divided by 4096), which it may access then. A CPU that
   * thrashing detection throttles sleeps and faults again.
   */
  cpuFault(page: number, write: boolean): void {
    this.memory.counts[CPU].cpuFaults++;
    this.events?.cpuFaultBegin(page * PAGE_SIZE);
    const access = write ? ACCESS_WRITE : ACCESS_READ;
    for (;;) {
      const throttled = this.#service.serve(CPU, [{ page, access }], "fault");
      this.#clock.pass(CPU_FAULT_NS);
      if (throttled === 0) break;
      this.#clock.until(throttled);
    }
    this.events?.cpuFaultEnd();
  }

  /**
   * Serves a batch of faults of a device: its blocks in ascending order. Faults that are throttled are not
   * served; they come again after the replay.
   * @param afterBlock is called between two blocks; null: nothing is
   */
  serveBatch(device: Processor, batch: Batch, afterBlock: (() => void) | null = null): void {
    const { pages, entries, duplicates, flush } = batch;
    const counts = this.memory.counts[device];
    counts.groups++;
    counts.entries += entries;
    counts.duplicates += duplicates;
    counts.devicePages += pages.length;
    if (flush === "put") counts.putFlushes++;
    this.memory.mover.group(pages[0].page);
    const first = pages[0].page * PAGE_SIZE;
    this.events?.groupBegin({ device, entries, pages: pages.length, address: first, kind: "fault" });
    let throttled = Infinity;
    for (let from = 0; from < pages.length;) {
      const block = Math.floor(pages[from].page / BLOCK_PAGES);
      let to = from + 1;
      while (to < pages.length && Math.floor(pages[to].page / BLOCK_PAGES) === block) to++;
      this.events?.block(block * BLOCK_BYTES);
      throttled = Math.min(throttled, this.#service.serve(device, pages.slice(from, to), "fault"));
      from = to;
      if (from < pages.length) afterBlock?.();
    }
    // With nothing to serve, the driver fetches again when the first throttle has ended.
    if (throttled > 0 && throttled < Infinity) this.#clock.until(throttled);
    else this.#clock.pass(GROUP_NS);
    this.events?.groupEnd();
  }

  /**
   * Serves notifications of a device's access counters, in batches of 256 at most: the touched parts of each
   * block are asked for as by a prefetch. Pages that are on the device by now, or that nobody holds, are
   * skipped; a batch without others takes no time.
   */
  serveCounters(device: Processor, notifications: readonly Notification[]): void {
    for (let from = 0; from < notifications.length; from += NOTIFICATIONS) {
      const batch = notifications.slice(from, from + NOTIFICATIONS);
      this.memory.counts[device].notifications += batch.length;
      const asked = batch.map((one) => this.#requestsOf(device, one));
      const pages = asked.reduce((sum, { length }) => sum + length, 0);
      if (pages === 0) continue;
      const address = batch[asked.findIndex(({ length }) => length > 0)].block * BLOCK_BYTES;
      this.events?.groupBegin({ device, entries: batch.length, pages, address, kind: "counter" });
      for (const notification of batch) {
        // An earlier block of the batch may have evicted pages of this one.
        const requests = this.#requestsOf(device, notification);
        if (requests.length === 0) continue;
        this.events?.block(notification.block * BLOCK_BYTES);
        this.#service.serve(device, requests, "counter");
      }
      this.events?.groupEnd();
    }
  }

  /** The pages that a notification asks for. */
  #requestsOf(device: Processor, { block: number, parts }: Notification): FaultedPage[] {
    const block = this.memory.block(number);
    const held = newBits();
    block.addHeld(held);
    removeBits(held, block.resident[device]);
    const requests: FaultedPage[] = [];
    for (let i = nextBit(held, 0); i < BLOCK_PAGES; i = nextBit(held, i + 1))
      if ((parts & (1 << Math.floor(i / PART_PAGES))) !== 0)
        requests.push({ page: number * BLOCK_PAGES + i, access: ACCESS_PREFETCH });
    return requests;
  }
}
