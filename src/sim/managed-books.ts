/** What a ledger asks of managed memory, by the names that the books of a simulated device have. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import type { Invalidations, ManagedCounts } from "./counts.ts";
import { DeviceBooks, type PageCounts } from "./device-books.ts";
import type { EngineMover } from "./driver/engine-mover.ts";
import type { Machine } from "./driver/machine.ts";
import type { RangeCounts } from "./range-counts.ts";

/** Returns the counts of a machine that only managed memory has. */
export function managedCounts({ counts, transfers, remote }: Machine): ManagedCounts {
  const [toDevice, toHost] = [transfers.total("toDevice"), transfers.total("toHost")];
  const { groups, entries, duplicates, putFlushes, throttles, pins, thrashed, notifications } = counts;
  return {
    groups,
    entries,
    duplicates,
    putFlushes,
    transfersToDevice: toDevice.count,
    bytesToDevice: toDevice.bytes,
    transfersToHost: toHost.count,
    bytesToHost: toHost.bytes,
    bytesPrefetched: counts.prefetched * PAGE_SIZE,
    bytesPrefetchedUsed: counts.prefetchedUsed * PAGE_SIZE,
    bytesPrefetchedUnused: counts.prefetchedUnused * PAGE_SIZE,
    remoteSectors: remote.sectors,
    throttles,
    pins,
    thrashed,
    notifications,
  };
}

/** The books of a machine and of the engine that follows it. */
export class ManagedBooks {
  readonly #machine: Machine;
  readonly #mover: EngineMover;
  /** Counts invalidations. */
  readonly #device = new DeviceBooks();

  constructor(machine: Machine, mover: EngineMover) {
    this.#machine = machine;
    this.#mover = mover;
  }

  /** Counts an invalidation by its event. */
  invalidated(event: number): void {
    this.#device.invalidated(event);
  }

  get invalidations(): Invalidations {
    return this.#device.invalidations;
  }

  get pages(): PageCounts {
    const { counts } = this.#machine;
    return {
      in: counts.pagesIn,
      copied: counts.pagesCopied,
      inAgain: counts.pagesInAgain,
      out: counts.pagesOut,
      outDirty: counts.pagesOutDirty,
      outEvicted: counts.pagesOutEvicted,
      evictions: counts.evictions,
    };
  }

  /** The most pages that were in the device's memory at one time, since it was last set. */
  get peak(): number {
    return this.#machine.counts.pagesPeak;
  }

  set peak(pages: number) {
    this.#machine.counts.pagesPeak = pages;
  }

  /** Who is told where pages fault and move. */
  get ranges(): RangeCounts | null {
    return this.#mover.ranges;
  }

  set ranges(ranges: RangeCounts | null) {
    this.#mover.ranges = ranges;
  }

  get managed(): ManagedCounts {
    return managedCounts(this.#machine);
  }
}
