/** Counts of faults and moves by named range. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import type { RangeReport } from "./report.ts";

/** A place where a range of some name is now. */
interface Interval {
  start: number;
  end: number;
  name: string;
}

/** What a snapshot keeps of the counts. */
export interface RangeState {
  intervals: Interval[];
  ranges: RangeReport[];
}

/** The named ranges. Ranges of one name are counted together; the newest range at an address is the one. */
export class RangeCounts {
  /** In the order of their addresses; they do not overlap. */
  readonly #intervals: Interval[];
  readonly #ranges: Map<string, RangeReport>;
  /** The interval of the last address that was found: pages come in runs. */
  #last: Interval | undefined;

  constructor(state: RangeState = { intervals: [], ranges: [] }) {
    this.#intervals = state.intervals;
    this.#ranges = new Map(state.ranges.map((range) => [range.name, range]));
  }

  /** Names a range. Parts of other ranges that it covers lose their names. */
  add(name: string, start: number, bytes: number): void {
    if (bytes <= 0) return;
    const end = start + bytes;
    const first = this.#search(start);
    let last = first;
    while (last < this.#intervals.length && this.#intervals[last].start < end) last++;
    const covered = this.#intervals.slice(first, last);
    const rests = covered.flatMap((old) => [
      { ...old, end: Math.min(old.end, start) },
      { ...old, start: Math.max(old.start, end) },
    ]);
    const all = [...rests.filter((rest) => rest.start < rest.end), { start, end, name }];
    this.#intervals.splice(first, last - first, ...all.sort((a, b) => a.start - b.start));
    this.#last = undefined;
    const range = this.#ranges.get(name);
    if (range !== undefined) range.bytes += bytes;
    else this.#ranges.set(name, { name, start: `0x${start.toString(16)}`, bytes, ...zero() });
  }

  /** The range that begins at `start` is no more. */
  end(start: number): void {
    const at = this.#search(start);
    if (this.#intervals[at]?.start === start) this.#intervals.splice(at, 1);
    this.#last = undefined;
  }

  /** Whether no range has a name. */
  get empty(): boolean {
    return this.#intervals.length === 0;
  }

  /** Notes a fault at an address. */
  fault(address: number, agent: "cpu" | "device"): void {
    const range = this.#at(address);
    if (range !== undefined) range.faults[agent]++;
  }

  /** Notes that the page at an address has moved. */
  move(address: number, how: "bytesIn" | "bytesOut" | "bytesOutEvicted"): void {
    const range = this.#at(address);
    if (range !== undefined) range[how] += PAGE_SIZE;
  }

  /** Sets all counts to 0. */
  clear(): void {
    for (const range of this.#ranges.values()) Object.assign(range, zero());
  }

  /** Returns the counts by name, as a copy. */
  report(): RangeReport[] {
    return structuredClone([...this.#ranges.values()]);
  }

  state(): RangeState {
    return { intervals: this.#intervals, ranges: [...this.#ranges.values()] };
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
    return this.#ranges.get(interval.name);
  }
}

function zero(): Pick<RangeReport, "faults" | "bytesIn" | "bytesOut" | "bytesOutEvicted"> {
  return { faults: { cpu: 0, device: 0 }, bytesIn: 0, bytesOut: 0, bytesOutEvicted: 0 };
}
