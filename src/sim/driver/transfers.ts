/**
 * Transfers between processors' memories. A transfer is a maximal run of consecutive pages of one VA block,
 * copied with one source, one destination and one cause (docs/policies.md). Pages
 * that are made and not copied, and pages that are there already, end a run.
 */
import { DIRECTIONS, TransferBook, type Direction, type DirectionTotals } from "../paging-counts.ts";
import { runsOf, type Bits } from "./bits.ts";
import { CPU, type Processor } from "./processor.ts";

const PAGE_BYTES = 4096;

/** Why pages are copied. */
const CAUSES = ["fault", "prefetch", "eviction", "counter", "migrate", "copy"] as const;
/**
 * `fault`: a processor faulted on the page. `prefetch`: it goes along. `eviction`: it makes room. `counter`:
 * an access counter asked. `migrate`: the program asked (cudaMemPrefetchAsync, or a collapse of copies).
 * `copy`: the program copies an array itself (cudaMemcpy), as a whole.
 */
export type Cause = (typeof CAUSES)[number];

/** Transfers of one direction and cause. */
export interface TransferCount {
  count: number;
  bytes: number;
  /** By size in KiB: how many there were. */
  sizes: Record<number, number>;
}

/** All transfers, by direction and cause. */
export type TransferCounts = Record<Direction, Record<Cause, TransferCount>>;

/** What a snapshot keeps of transfers. */
export interface TransferState {
  counts: TransferCounts;
  books: DirectionTotals[];
}

function none(): Record<Cause, TransferCount> {
  const counts = CAUSES.map((cause) => [cause, { count: 0, bytes: 0, sizes: {} }]);
  return Object.fromEntries(counts) as Record<Cause, TransferCount>;
}

/** Returns the direction of a copy from one processor's memory to another's. */
function directionOf(from: Processor, to: Processor): Direction {
  if (to === CPU) return "toHost";
  return from === CPU ? "toDevice" : "peer";
}

/** The books of transfers. */
export class Transfers {
  readonly counts: TransferCounts = Object.fromEntries(
    DIRECTIONS.map((direction) => [direction, none()]),
  ) as TransferCounts;
  /** By device, the first one at 0: those that go to it, and those that go from it to RAM. */
  readonly books: readonly TransferBook[];
  /** Is told each transfer; null: nobody is. */
  onTransfer: ((bytes: number, direction: Direction, cause: Cause, address: number) => void) | null = null;

  constructor(devices = 1) {
    this.books = Array.from({ length: devices }, () => new TransferBook());
  }

  /** Counts the copy of `pages` of the block at an address. Returns how many transfers it took. */
  copy(pages: Bits, from: Processor, to: Processor, cause: Cause, address = 0): number {
    const runs = runsOf(pages);
    for (const [first, end] of runs)
      this.count((end - first) * PAGE_BYTES, from, to, cause, address + first * PAGE_BYTES);
    return runs.length;
  }

  /** Counts one transfer of so many bytes from an address on. */
  count(bytes: number, from: Processor, to: Processor, cause: Cause, address = 0): void {
    const direction = directionOf(from, to);
    const counts = this.counts[direction][cause];
    const kib = bytes / 1024;
    counts.count++;
    counts.bytes += bytes;
    counts.sizes[kib] = (counts.sizes[kib] ?? 0) + 1;
    this.books[(to === CPU ? from : to) - 1].add(bytes, direction);
    this.onTransfer?.(bytes, direction, cause, address);
  }

  /** Returns what a snapshot keeps. */
  state(): TransferState {
    return { counts: this.counts, books: this.books.map((book) => book.totals()) };
  }

  /** Makes the counts those of a snapshot. */
  restore({ counts, books }: TransferState): void {
    for (const direction of DIRECTIONS) Object.assign(this.counts[direction], counts[direction]);
    books.forEach((totals, i) => this.books[i].set(totals));
  }

  /** Returns the transfers of a direction, of all causes. */
  total(direction: Direction): { count: number; bytes: number } {
    let [count, bytes] = [0, 0];
    for (const one of Object.values(this.counts[direction])) {
      count += one.count;
      bytes += one.bytes;
    }
    return { count, bytes };
  }
}
