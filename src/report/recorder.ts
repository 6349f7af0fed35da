/** Records the picture of a run while it goes on. What it keeps does not grow with the run's length. */
import type { FaultGroup, Place } from "../sim/events.ts";
import type { Cause } from "../sim/driver/transfers.ts";
import type { Direction } from "../sim/paging-counts.ts";
import type { TimedTransfer, TimeListener } from "../sim.ts";
import { columnsOf, HeatMap } from "./heat-map.ts";
import {
  PICTURE_SCHEMA,
  type Picture,
  type RangePicture,
  type SeriesPicture,
  type SizesPicture,
} from "./picture.ts";
import { COLUMNS, Gauge, TimeAxis } from "./time-axis.ts";

const PAGE_BYTES = 4096;
/** Runs of kernels that are kept. */
const KERNELS_MAX = 500;
/** Series that are sums of events. */
const SUMS = [
  "cpuFaults",
  "deviceFaults",
  "groups",
  "bytesToDevice",
  "bytesToHost",
  "bytesEvicted",
  "busyToDevice",
  "busyToHost",
] as const;

/** What a picture has beside what is recorded. */
export type PictureOf = Pick<Picture, "title" | "command" | "settings" | "report"> & {
  unit: Picture["axis"]["unit"];
  /** The run's length, if the events do not tell; null: the run goes on, and is shown up to here. */
  length: number | null;
  ranges: RangePicture[];
};

/** Hears what happens, for a picture. */
export class PictureRecorder implements TimeListener {
  readonly #axis = new TimeAxis();
  readonly #heat = new HeatMap(this.#axis);
  readonly #resident = new Gauge(this.#axis);
  readonly #sums = Object.fromEntries(SUMS.map((name) => [name, this.#axis.series()])) as Record<
    (typeof SUMS)[number],
    Float64Array
  >;
  /** By direction, by cause, by size: how many. */
  readonly #sizes: Partial<Record<Direction, Partial<Record<Cause, Map<number, number>>>>> = {};
  readonly #kernels: Picture["kernels"] = [];
  readonly #running: { name: string; start: number }[] = [];
  #end = 0;

  span(_cause: string, _start: number, end: number): void {
    this.#end = Math.max(this.#end, end);
  }

  transfer({ bytes, direction, cause, start, end }: TimedTransfer): void {
    const sums = this.#sums;
    const axis = this.#axis;
    if (direction === "toDevice") {
      axis.spread(sums.bytesToDevice, start, end, bytes);
      axis.spread(sums.busyToDevice, start, end, end - start);
    } else if (direction === "toHost") {
      axis.spread(sums.bytesToHost, start, end, bytes);
      axis.spread(sums.busyToHost, start, end, end - start);
      if (cause === "eviction") axis.spread(sums.bytesEvicted, start, end, bytes);
    }
    const sizes = ((this.#sizes[direction] ??= {})[cause] ??= new Map<number, number>());
    sizes.set(bytes, (sizes.get(bytes) ?? 0) + 1);
    this.#end = Math.max(this.#end, end);
  }

  cpuFaultBegin(at: number): void {
    this.#count(this.#sums.cpuFaults, at);
  }

  cpuFaultEnd(): void {}

  groupBegin(at: number, _group: FaultGroup): void {
    this.#count(this.#sums.groups, at);
  }

  groupEnd(): void {}

  deviceFault(at: number): void {
    this.#count(this.#sums.deviceFaults, at);
  }

  warpsWait(): void {}

  warpsGoOn(): void {}

  resident(at: number, address: number, pages: number, where: Place, came: boolean): void {
    const changed = this.#heat.change(at, address, pages, where > 0, came);
    if (changed !== 0) this.#resident.add(at, changed * PAGE_BYTES);
    this.#end = Math.max(this.#end, at);
  }

  kernelBegin(at: number, name: string): void {
    this.#running.push({ name, start: at });
  }

  kernelEnd(at: number): void {
    const begun = this.#running.pop();
    if (begun !== undefined && this.#kernels.length < KERNELS_MAX) this.#kernels.push({ ...begun, end: at });
    this.#end = Math.max(this.#end, at);
  }

  /**
   * Returns the picture so far, and changes nothing: a run that is looked at has the picture of one that is
   * not. While the run goes on, the picture ends where the axis has to be merged next.
   */
  picture({ title, command, settings, report, unit, length, ranges }: PictureOf): Picture {
    const end =
      length === null ? Math.min(this.#end, COLUMNS * this.#axis.width - 1) : Math.max(this.#end, length);
    const columns = columnsOf(this.#axis, end);
    const { width } = this.#axis;
    const sums = SUMS.map((name) => [name, [...this.#sums[name].subarray(0, columns)].map(Math.round)]);
    const resident = [...this.#resident.until(end).subarray(0, columns)].map((sum, i) =>
      Math.round(sum / this.#axis.lengthOf(i, end)),
    );
    return {
      schema: PICTURE_SCHEMA,
      title,
      command,
      settings,
      axis: { unit, end, width, columns },
      heat: this.#heat.picture(end, columns),
      series: { ...(Object.fromEntries(sums) as Omit<SeriesPicture, "resident">), resident },
      sizes: this.#sizesOf(),
      ranges,
      kernels: this.#kernels,
      report: withoutEpochs(report),
    };
  }

  #count(series: Float64Array, at: number): void {
    series[this.#axis.column(at)]++;
    this.#end = Math.max(this.#end, at);
  }

  #sizesOf(): SizesPicture[] {
    return byKey(this.#sizes).flatMap(([direction, causes]) =>
      byKey(causes).map(([cause, sizes]) => ({
        direction,
        cause,
        sizes: [...sizes].sort(([a], [b]) => a - b),
      })),
    );
  }
}

/** The entries of an object, in the order of their keys. */
function byKey<K extends string, V>(object: Partial<Record<K, V>>): [K, V][] {
  return (Object.entries(object) as [K, V][]).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** A report without the parts that grow with a run. */
function withoutEpochs(report: Picture["report"]): Picture["report"] {
  const { epochs: _epochs, ...rest } = report as Picture["report"] & { epochs?: unknown };
  return rest;
}
