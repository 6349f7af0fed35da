/** Counts of accesses, faults and moves by named range. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import type { RecordArray } from "../device/replay.ts";
import { RangeTable, type Interval } from "../device/range-table.ts";
import type { Hmm } from "../index.ts";
import { ADDRESS_END } from "./address-range.ts";
import { CLUSTER_PAGES, CLUSTER_SIZE } from "./cluster.ts";
import type { Accesses } from "./counts.ts";
import type { NotedBytes } from "./driver/mover.ts";
import type { RangeReport } from "./report.ts";
import { unfailing } from "./failing.ts";
import { bitCount } from "./page-runs.ts";

/** What is counted of pages. */
export type RangeBytes = "bytesIn" | "bytesOut" | "bytesOutEvicted" | "bytesPrefetchedUsed" | NotedBytes;

/** What a snapshot keeps of the counts. */
export interface RangeState {
  intervals: Interval[];
  ranges: RangeReport[];
}

/**
 * The named ranges. Ranges of one name are counted together; the newest range at an address is the one.
 * The caller closes them.
 */
export class RangeCounts {
  readonly #hmm: Hmm;
  /** Where ranges are, in the order of the addresses; a range is its index among #ranges. */
  readonly #intervals: Interval[];
  readonly #ranges: RangeReport[];
  readonly #byName: Map<string, number>;
  /** The interval of the last address that was found: pages come in runs. */
  #last: Interval | undefined;
  /** The intervals as the core has them, with accesses that #ranges lack; null after a change. */
  #table: RangeTable | null = null;

  constructor(hmm: Hmm, state: RangeState = { intervals: [], ranges: [] }) {
    this.#hmm = hmm;
    this.#intervals = state.intervals;
    this.#ranges = state.ranges;
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
    this.#table ??= unfailing(
      this.#hmm,
      () => new RangeTable(this.#hmm, this.#intervals, this.#ranges.length),
    );
    let from = at;
    for (const skipped of without) {
      this.#table.count(records, from, skipped);
      from = skipped + 1;
    }
    this.#table.count(records, from, n);
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
    for (const range of this.#ranges) Object.assign(range, zero());
  }

  /** Returns the counts by name, as a copy. */
  report(): RangeReport[] {
    this.#collect();
    return structuredClone(this.#ranges);
  }

  state(): RangeState {
    this.#collect();
    return { intervals: this.#intervals, ranges: this.#ranges };
  }

  /** Gives the engine's memory back. The counts stay. */
  close(): void {
    this.#collect();
    this.#table?.close();
    this.#table = null;
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
    });
    table.clear();
  }

  /** The number of the range of some name, which begins at `start` if it is new. */
  #number(name: string, start: number): number {
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    this.#byName.set(name, this.#ranges.length);
    return this.#ranges.push({ name, start: `0x${start.toString(16)}`, bytes: 0, ...zero() }) - 1;
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

  #at(address: number): RangeReport | undefined {
    let interval = this.#last;
    if (interval === undefined || address < interval.start || address >= interval.end) {
      interval = this.#intervals[this.#search(address)];
      if (interval === undefined || address < interval.start) return undefined;
      this.#last = interval;
    }
    return this.#ranges[interval.range];
  }
}

function zero(): Omit<RangeReport, "name" | "start" | "bytes"> {
  const none = (): Accesses => ({ loads: 0, stores: 0 });
  return {
    accesses: { cpu: none(), device: none() },
    faults: { cpu: 0, device: 0 },
    bytesIn: 0,
    bytesOut: 0,
    bytesOutEvicted: 0,
    bytesPrefetched: 0,
    bytesPrefetchedUsed: 0,
    bytesPrefetchedUnused: 0,
    bytesThrashed: 0,
  };
}
