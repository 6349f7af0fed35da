/**
 * The picture of a run: the one object from which pages draw. docs/picture.md describes it. Times are in
 * picoseconds; without a time model they are accesses.
 */
import type { Cause } from "../sim/driver/transfers.ts";
import type { Direction } from "../sim/paging-counts.ts";
import type { SimulationReport } from "../sim.ts";

export const PICTURE_SCHEMA = "heteromem-picture/1";

/** Where pages lie, by rows of addresses and columns of time. */
export interface HeatPicture {
  /** Bytes of a row. */
  rowBytes: number;
  /**
   * The rows that have pages, by address. `device` and `ram` are base64 of a byte for each column: the share
   * of the row's pages that lie there on average, from 0 to 255.
   */
  rows: { start: number; device: string; ram: string }[];
}

/** Sums over each column. */
export interface SeriesPicture {
  cpuFaults: number[];
  deviceFaults: number[];
  groups: number[];
  bytesToDevice: number[];
  bytesToHost: number[];
  /** Of bytesToHost, those that made room. */
  bytesEvicted: number[];
  /** Time that a transfer was on the link. */
  busyToDevice: number[];
  busyToHost: number[];
  /** Bytes on the device, on average. */
  resident: number[];
}

/** Transfers of one direction and cause. */
export interface SizesPicture {
  direction: Direction;
  cause: Cause;
  /** By size in bytes, ascending: how many. */
  sizes: [bytes: number, count: number][];
}

/** A named range. */
export interface RangePicture {
  name: string;
  start: number;
  bytes: number;
}

/** The picture. */
export interface Picture {
  schema: typeof PICTURE_SCHEMA;
  /** What was run: a workload or a trace. */
  title: string;
  /** The command that reproduces the run. */
  command: string;
  /** The config's fields that were given. */
  settings: [name: string, value: string][];
  axis: {
    unit: "ps" | "accesses";
    /** The run's length. */
    end: number;
    /** What a column spans, and how many there are. */
    width: number;
    columns: number;
  };
  heat: HeatPicture;
  series: SeriesPicture;
  sizes: SizesPicture[];
  ranges: RangePicture[];
  /** When kernels ran, the first ones. */
  kernels: { name: string; start: number; end: number }[];
  /** The report, without its epochs. */
  report: Omit<SimulationReport, "epochs">;
}
