/** Counts of accesses, faults and moves by named range. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import type { RecordArray } from "../device/replay.ts";
import type { PeerDevice } from "../device/peer-counts.ts";
import { RangeTable, type Interval } from "../device/range-table.ts";
import type { Hmm } from "../index.ts";
import { ADDRESS_END } from "./address-range.ts";
import { CLUSTER_PAGES, CLUSTER_SIZE } from "./cluster.ts";
import type { Accesses } from "./counts.ts";
import { unfailing } from "./failing.ts";
import { bitCount } from "./page-runs.ts";
import { noTransfers, TransferBook, type Direction } from "./paging-counts.ts";
import type { RangeFigures, RangeReport } from "./report.ts";

/** What is counted of pages. */
export type RangeBytes = Extract<keyof RangeFigures, `bytes${string}`>;

/** What a snapshot keeps of the counts. */
export interface RangeState {
  intervals: Interval[];
  ranges: RangeReport[];
}

/** The figures of a range, with its transfers in a book. */
type Named = Omit<RangeReport, "transfers"> & { readonly book: TransferBook };

function reportOf({ book, ...range }: Named): RangeReport {
  return { ...structuredClone(range), transfers: book.totals() };
}

/**
 * The named ranges. Ranges of one name are counted together; the newest range at an address is the one.
 * The caller closes them.
 */
export class RangeCounts {
  readonly #hmm: Hmm;
  /** Where ranges are, in the order of the addresses; a range is its index among #ranges. */
  readonly #intervals: Interval[];
  readonly #ranges: Named[];
  readonly #byName: Map<string, number>;
  /** The interval of the last address that was found: pages come in runs. */
  #last: Interval | undefined;
  /** The intervals as the core has them, with accesses that #ranges lack; null after a change. */
  #table: RangeTable | null = null;

  constructor(hmm: Hmm, state: RangeState = { intervals: [], ranges: [] }) {
    this.#hmm = hmm;
    this.#intervals = state.intervals;
    this.#ranges = state.ranges.map(({ transfers, ...range }) => ({
      ...range,
      book: new TransferBook(transfers),
    }));
    this.#byName = new Map(state.ranges.map(({ name }, i) => [name, i]));
  }

  /** Names a range. Parts of other ranges that it covers lose their names. */
  add(name: string, start: number, bytes: number): void {
    if (!(bytes > 0 && start >= 0 && start < ADDRESS_END)) return; // nothing can access it
    this.close();
    const end = start + bytes;
    const first = this.#search(start);
    let last = first;
    while (last < this.#intervals.length && this.#intervals[last].start < end) last++;
    const covered = this.#intervals.slice(first, last);
    const rests = covered.flatMap((old) => [
      { ...old, end: Math.min(old.end, start) },
      { ...old, start: Math.max(old.start, end) },
    ]);
    const range = this.#number(name, start);
    this.#ranges[range].bytes += bytes;
    const all = [...rests.filter((rest) => rest.start < rest.end), { start, end, range }];
    this.#intervals.splice(first, last - first, ...all.sort((a, b) => a.start - b.start));
    this.#last = undefined;
  }

  /** The range that begins at `start` is no more. */
  end(start: number): void {
    const at = this.#search(start);
    if (this.#intervals[at]?.start !== start) return;
    this.close();
    this.#intervals.splice(at, 1);
    this.#last = undefined;
  }

  /** Whether no range has a name. */
  get empty(): boolean {
    return this.#intervals.length === 0;
  }

  /**
   * Counts the accesses of records [at, n), but for those at the indices `without`. An access is of the range
   * that its first byte lies in. Throws HmmError ENOMEM if the engine's arena has no room for the ranges.
   */
  count(records: RecordArray, at: number, n: number, without: readonly number[]): void {
    if (this.empty || at === n) return;
    const table = this.#open();
    let from = at;
    for (const skipped of without) {
      table.count(records, from, skipped);
      from = skipped + 1;
    }
    table.count(records, from, n);
  }

  /**
   * Counts the devices' accesses of records [at, n), which were replayed since the devices' tables last
   * changed, to memory that is not their own, by place: an access is of the place of its last byte.
   */
  countRemote(records: RecordArray, at: number, n: number, devices: readonly PeerDevice[]): void {
    if (!this.empty && at < n) this.#open().countRemote(records, at, n, devices);
  }

  /** The name of the range around an address; undefined: it has none. */
  nameAt(address: number): string | undefined {
    return this.#at(address)?.name;
  }

  /** Notes a fault at an address. */
  fault(address: number, agent: "cpu" | "device"): void {
    const range = this.#at(address);
    if (range !== undefined) range.faults[agent]++;
  }

  /** Notes a fault group, by the address of the first page that it asks for. */
  group(address: number): void {
    const range = this.#at(address);
    if (range !== undefined) range.groups++;
  }

  /** Notes a transfer of so many bytes from an address on. */
  transfer(address: number, bytes: number, direction: Direction): void {
    this.#at(address)?.book.add(bytes, direction);
  }

  /** Notes an access of a device to an address, whose page is in RAM or in another device's memory. */
  remote(address: number, place: "ram" | "peer", store: boolean): void {
    const range = this.#at(address);
    if (range !== undefined) range.accesses.device[place][store ? "stores" : "loads"]++;
  }

  /** Notes what has happened to the page at an address. */
  move(address: number, how: RangeBytes): void {
    const range = this.#at(address);
    if (range !== undefined) range[how] += PAGE_SIZE;
  }

  /** Notes what has happened to pages of the aligned 64 KiB at `base`, a bit each. */
  moveAll(base: number, bits: number, how: RangeBytes): void {
    if (bits === 0) return;
    const range = this.#at(base);
    if (range !== undefined && base + CLUSTER_SIZE <= this.#last!.end)
      range[how] += bitCount(bits) * PAGE_SIZE;
    else
      for (let i = 0; i < CLUSTER_PAGES; i++)
        if ((bits & (1 << i)) !== 0) this.move(base + i * PAGE_SIZE, how);
  }

  /** Sets all counts to 0. */
  clear(): void {
    this.#table?.clear();
    for (const range of this.#ranges) {
      Object.assign(range, zero());
      range.book.set(noTransfers());
    }
  }

  /** Returns the counts by name, as a copy. */
  report(): RangeReport[] {
    this.#collect();
    return this.#ranges.map(reportOf);
  }

  state(): RangeState {
    this.#collect();
    return { intervals: this.#intervals, ranges: this.#ranges.map(reportOf) };
  }

  /** Gives the engine's memory back. The counts stay. */
  close(): void {
    this.#collect();
    this.#table?.close();
    this.#table = null;
  }

  /** The intervals as the core has them. Throws HmmError ENOMEM if the engine's arena has no room. */
  #open(): RangeTable {
    this.#table ??= unfailing(
      this.#hmm,
      () => new RangeTable(this.#hmm, this.#intervals, this.#ranges.length),
    );
    return this.#table;
  }

  /** Takes the accesses that the core has counted. */
  #collect(): void {
    const table = this.#table;
    if (table === null) return;
    this.#ranges.forEach(({ accesses: { cpu, device } }, i) => {
      const counts = table.counts(i);
      cpu.loads += counts[0] + counts[2];
      cpu.stores += counts[1] + counts[2];
      device.loads += counts[4] + counts[6];
      device.stores += counts[5] + counts[6];
      device.ram.loads += counts[8];
      device.ram.stores += counts[9];
      device.peer.loads += counts[10];
      device.peer.stores += counts[11];
    });
    table.clear();
  }

  /** The number of the range of some name, which begins at `start` if it is new. */
  #number(name: string, start: number): number {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    this.#byName.set(name, this.#ranges.length);
    const range = { name, start: `0x${start.toString(16)}`, bytes: 0, ...zero(), book: new TransferBook() };
    return this.#ranges.push(range) - 1;
  }

  /** The index of the first interval that ends after an address. */
  #search(address: number): number {
    let [from, to] = [0, this.#intervals.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#intervals[middle].end <= address) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  #at(address: number): Named | undefined {
    let interval = this.#last;
    if (interval === undefined || address < interval.start || address >= interval.end) {
      interval = this.#intervals[this.#search(address)];
      if (interval === undefined || address < interval.start) return undefined;
      this.#last = interval;
    }
    return this.#ranges[interval.range];
  }
}

/** Figures of a range without accesses or moves. */
function zero(): Omit<RangeFigures, "transfers"> {
  const none = (): Accesses => ({ loads: 0, stores: 0 });
  return {
    accesses: { cpu: none(), device: { ...none(), ram: none(), peer: none() } },
    faults: { cpu: 0, device: 0 },
    groups: 0,
    bytesIn: 0,
    bytesOut: 0,
    bytesOutEvicted: 0,
    bytesPrefetched: 0,
    bytesPrefetchedUsed: 0,
    bytesPrefetchedUnused: 0,
    bytesThrashed: 0,
  };
}
