/**
 * UVM-Smart's adaptive threshold for remote access (Ganguly et al., "Adaptive page migration for irregular
 * data-intensive applications under GPU memory oversubscription", 2020; gpu-sim.cc, enable_dma): the device
 * reads RAM over its link until it has used a piece of 64 KiB often enough for the piece to come. A store
 * always brings its page.
 */

/** Pages of the 64 KiB that have a counter, and pieces of 2 MiB. */
const PIECE_PAGES = 16;
const REGION_PIECES = 32;

/** UVM-Smart's defaults: the static threshold, and the penalty. */
export const REMOTE_THRESHOLD = 8;
export const REMOTE_PENALTY = 8;

/**
 * When a read brings its page (enable_dma 1, 2, 3). `adaptive`: with a threshold that grows with occupancy,
 * and once memory was full, with the round trips of the piece. `always`: at the static threshold.
 * `oversubscribed`: at once until memory was full, at the static threshold after.
 */
export type RemoteReads = "adaptive" | "always" | "oversubscribed";

/** What the device's memory is like. */
export interface Occupied {
  /** The taken part, 0 to 1. */
  readonly occupancy: number;
  readonly full: boolean;
}

/** What a snapshot keeps of the counters. */
export interface RemoteState {
  accesses: [piece: number, n: number][];
  trips: [region: number, n: number][];
}

/** The counters of one device, of all its accesses to managed memory, wherever the pages are. */
export class RemoteCounters {
  readonly #reads: RemoteReads;
  readonly #threshold: number;
  readonly #penalty: number;
  /** By piece of 64 KiB: accesses. */
  readonly #accesses = new Map<number, number>();
  /** By region of 2 MiB: how often pages of it were written back. */
  readonly #trips = new Map<number, number>();

  constructor(reads: RemoteReads, threshold: number, penalty: number) {
    this.#reads = reads;
    this.#threshold = threshold;
    this.#penalty = penalty;
  }

  state(): RemoteState {
    return { accesses: [...this.#accesses], trips: [...this.#trips] };
  }

  /** Makes the counters what state() has returned. */
  restore({ accesses, trips }: RemoteState): void {
    for (const [piece, n] of accesses) this.#accesses.set(piece, n);
    for (const [region, n] of trips) this.#trips.set(region, n);
  }

  /** Counts an access to a page (its address divided by 4096). */
  access(page: number): void {
    const piece = Math.floor(page / PIECE_PAGES);
    this.#accesses.set(piece, (this.#accesses.get(piece) ?? 0) + 1);
  }

  /** Pages of a region of 2 MiB were evicted: a round trip of each of its pieces. */
  writtenBack(region: number): void {
    this.#trips.set(region, (this.#trips.get(region) ?? 0) + 1);
  }

  /** Whether an access, which is counted already, brings its page; else it is made in RAM. */
  brings(page: number, write: boolean, memory: Occupied): boolean {
    if (write || (this.#reads === "oversubscribed" && !memory.full)) return true;
    const piece = Math.floor(page / PIECE_PAGES);
    return (this.#accesses.get(piece) ?? 0) >= this.#thresholdOf(piece, memory);
  }

  #thresholdOf(piece: number, { occupancy, full }: Occupied): number {
    if (this.#reads !== "adaptive") return this.#threshold;
    if (!full) return Math.floor(1 + this.#threshold * occupancy);
    const trips = this.#trips.get(Math.floor(piece / REGION_PIECES)) ?? 0;
    return this.#threshold * this.#penalty * (trips + 1);
  }
}
