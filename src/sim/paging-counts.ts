/**
 * What is counted alike of a whole run, of its parts, of each device and of each named range, under either
 * memory model.
 */

/** Directions of transfers: from RAM, to RAM, and from one device to another. */
export const DIRECTIONS = ["toDevice", "toHost", "peer"] as const;
export type Direction = (typeof DIRECTIONS)[number];

/** How many transfers had a size in bytes. */
export interface SizeCount {
  bytes: number;
  count: number;
}

/** Transfers of one direction: runs of neighboring pages that were copied at once. */
export interface TransferTotals {
  count: number;
  bytes: number;
  /** Each size that occurred, the smallest first. */
  sizes: SizeCount[];
}

/** Transfers by direction. */
export type DirectionTotals = Record<Direction, TransferTotals>;

/** The counts. */
export interface PagingCounts {
  /** Batches of device faults that a driver served at once; under HMM each fault is one. */
  groups: number;
  transfers: DirectionTotals;
  /** Bytes that came to a device along with others; of these, what it used, and what left without a use. */
  bytesPrefetched: number;
  bytesPrefetchedUsed: number;
  bytesPrefetchedUnused: number;
  /** Bytes of pages found to thrash: by the driver, or under HMM, because they have come again. */
  bytesThrashed: number;
}

/** Returns the sizes of two lists together, or with `sign` −1 those of the first without the second. */
export function combineSizes(one: readonly SizeCount[], other: readonly SizeCount[], sign: 1 | -1) {
  const counts = new Map(one.map(({ bytes, count }) => [bytes, count]));
  for (const { bytes, count } of other) counts.set(bytes, (counts.get(bytes) ?? 0) + sign * count);
  return sizesOf(counts);
}

/** Returns the sizes of a map by bytes, without those that did not occur. */
function sizesOf(counts: ReadonlyMap<number, number>): SizeCount[] {
  const some = [...counts].filter(([, count]) => count !== 0).sort(([a], [b]) => a - b);
  return some.map(([bytes, count]) => ({ bytes, count }));
}

/** Adds up the transfers of one direction. */
class DirectionBook {
  #count = 0;
  #bytes = 0;
  readonly #sizes = new Map<number, number>();

  add(bytes: number, count: number): void {
    if (count === 0) return;
    this.#count += count;
    this.#bytes += count * bytes;
    this.#sizes.set(bytes, (this.#sizes.get(bytes) ?? 0) + count);
  }

  totals(): TransferTotals {
    return { count: this.#count, bytes: this.#bytes, sizes: sizesOf(this.#sizes) };
  }

  set({ count, bytes, sizes }: TransferTotals): void {
    this.#count = count;
    this.#bytes = bytes;
    this.#sizes.clear();
    for (const size of sizes) this.#sizes.set(size.bytes, size.count);
  }
}

/** Returns totals of no transfers. */
export function noTransfers(): DirectionTotals {
  const none = (): TransferTotals => ({ count: 0, bytes: 0, sizes: [] });
  return { toDevice: none(), toHost: none(), peer: none() };
}

/** Adds up transfers by direction. */
export class TransferBook {
  readonly #books = {
    toDevice: new DirectionBook(),
    toHost: new DirectionBook(),
    peer: new DirectionBook(),
  };

  constructor(state: DirectionTotals = noTransfers()) {
    this.set(state);
  }

  /** Counts transfers of so many bytes each. */
  add(bytes: number, direction: Direction, count = 1): void {
    this.#books[direction].add(bytes, count);
  }

  /** Returns what was counted, as a copy. */
  totals(): DirectionTotals {
    const { toDevice, toHost, peer } = this.#books;
    return { toDevice: toDevice.totals(), toHost: toHost.totals(), peer: peer.totals() };
  }

  /** Makes it what totals() has returned. */
  set(totals: DirectionTotals): void {
    this.#books.toDevice.set(totals.toDevice);
    this.#books.toHost.set(totals.toHost);
    this.#books.peer.set(totals.peer);
  }
}
