/** What a ledger asks of managed memory, by the names that the books of a simulated device have. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { sum, trafficOf, type DeviceCounts, type ManagedCounts } from "./counts.ts";
import type { Machine } from "./driver/machine.ts";
import { invalidationsOf } from "./invalidations.ts";

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

/** Invalidations by event. */
export type Told = readonly [event: number, n: number][];

/** The books of a machine, and of the invalidations in the engine that follows it. */
export class ManagedBooks {
  /** The one device has no links to others. */
  readonly links = {};
  readonly #machine: Machine;
  /** Invalidations by event. */
  readonly #told: Map<number, number>;

  /** @param told invalidations by event, of a snapshot */
  constructor(machine: Machine, told: Told = []) {
    this.#machine = machine;
    this.#told = new Map(told);
  }

  /** Returns the invalidations by event, for a snapshot. */
  state(): Told {
    return [...this.#told];
  }

  /** Counts an invalidation by its event. */
  invalidated(event: number): void {
    this.#told.set(event, (this.#told.get(event) ?? 0) + 1);
  }

  /** Returns what was counted so far. */
  counts(): DeviceCounts {
    const { counts, transfers } = this.#machine;
    const invalidations = invalidationsOf((event) => this.#told.get(event) ?? 0);
    return {
      groups: counts.groups,
      transfers: transfers.totals(),
      bytesPrefetched: counts.prefetched * PAGE_SIZE,
      bytesPrefetchedUsed: counts.prefetchedUsed * PAGE_SIZE,
      bytesPrefetchedUnused: counts.prefetchedUnused * PAGE_SIZE,
      bytesThrashed: counts.thrashed * PAGE_SIZE,
      invalidations: sum(invalidations),
      invalidationsByEvent: invalidations,
      device: trafficOf({
        in: counts.pagesIn,
        copied: counts.pagesCopied,
        fromPeers: 0,
        inAgain: counts.pagesInAgain,
        out: counts.pagesOut,
        outDirty: counts.pagesOutDirty,
        outEvicted: counts.pagesOutEvicted,
        outEvictedDirty: counts.pagesOutEvictedDirty,
      }),
      evictions: counts.evictions,
    };
  }

  /** The most pages that were in the device's memory at one time, since restartPeak(). */
  get peak(): number {
    return this.#machine.counts.pagesPeak;
  }

  /** The peak begins with what is there now. */
  restartPeak(): void {
    this.#machine.counts.pagesPeak = this.#machine.counts.pagesNow;
  }
}
