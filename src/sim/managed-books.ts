/** What a ledger asks of managed memory, by the names that the books of a simulated device have. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { sum, together, trafficOf, type DeviceCounts, type ManagedCounts } from "./counts.ts";
import type { Machine } from "./driver/machine.ts";
import { invalidationsOf } from "./invalidations.ts";
import type { CountedDevices } from "./ledger.ts";

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

/** The books of a machine's devices, and of the invalidations in the engine that follows it. */
export class ManagedBooks {
  /** Each device, the first one at 0. */
  readonly all: CountedDevices["all"];
  readonly #machine: Machine;
  /** Invalidations by event. */
  readonly #told: Map<number, number>;

  /** @param told invalidations by event, of a snapshot */
  constructor(machine: Machine, told: Told = []) {
    this.#machine = machine;
    this.#told = new Map(told);
    this.all = machine.each.slice(1).map((_, i) => this.#device(i + 1));
  }

  /** Returns the invalidations by event, for a snapshot. */
  state(): Told {
    return [...this.#told];
  }

  /** Counts an invalidation by its event: each device is told. */
  invalidated(event: number): void {
    this.#told.set(event, (this.#told.get(event) ?? 0) + 1);
  }

  /** Returns what was counted so far of all devices; pages may also thrash at faults of the CPU. */
  counts(): DeviceCounts {
    const sum = this.all.map(({ counts }) => counts).reduce((all, one) => together(all, one));
    return { ...sum, bytesThrashed: this.#machine.counts.thrashed * PAGE_SIZE };
  }

  /** The peaks begin with what is there now. */
  restartPeaks(): void {
    for (const counts of this.#machine.each) counts.pagesPeak = counts.pagesNow;
    this.#machine.memory.peak = this.#machine.counts.pagesNow;
  }

  /** The books of one device; what they tell is always up to date. */
  #device(p: number): CountedDevices["all"][number] {
    const { each, memory } = this.#machine;
    const books = {
      get peak(): number {
        return each[p].pagesPeak;
      },
      links: memory.links[p],
    };
    const countsOf = (): DeviceCounts => this.#countsOf(p);
    return {
      number: p,
      get pages(): number {
        return each[p].pagesNow;
      },
      books,
      get counts(): DeviceCounts {
        return countsOf();
      },
    };
  }

  #countsOf(p: number): DeviceCounts {
    const { each, transfers } = this.#machine;
    const counts = each[p];
    const invalidations = invalidationsOf((event) => this.#told.get(event) ?? 0);
    return {
      groups: counts.groups,
      transfers: transfers.books[p - 1].totals(),
      bytesPrefetched: counts.prefetched * PAGE_SIZE,
      bytesPrefetchedUsed: counts.prefetchedUsed * PAGE_SIZE,
      bytesPrefetchedUnused: counts.prefetchedUnused * PAGE_SIZE,
      bytesThrashed: counts.thrashed * PAGE_SIZE,
      invalidations: sum(invalidations),
      invalidationsByEvent: invalidations,
      device: trafficOf({
        in: counts.pagesIn,
        copied: counts.pagesCopied,
        fromPeers: counts.pagesFromPeers,
        inAgain: counts.pagesInAgain,
        out: counts.pagesOut,
        outDirty: counts.pagesOutDirty,
        outEvicted: counts.pagesOutEvicted,
        outEvictedDirty: counts.pagesOutEvictedDirty,
      }),
      evictions: counts.evictions,
    };
  }
}
