/** What a sweep is, as users write it. schema/sweep.schema.json describes the file. */
import type { SimulationConfig } from "../sim.ts";
import type { Json } from "./canonical.ts";

/** The fields of `heteromem run`'s config, as a file of `--config` has them. */
export type RunFields = Readonly<Record<string, unknown>>;

/** A value of an axis that sets several fields, by its label. */
export interface LabelledValue {
  label: string;
  set: RunFields;
}

/** Numbers or sizes from one to another, by a step, or so many of them. */
export interface LinearRange {
  from: number | string;
  to: number | string;
  step?: number | string;
  points?: number;
}

/** Numbers or sizes that double: from one to another, with so many in each doubling (default: 1). */
export interface Log2Range {
  from: number | string;
  to: number | string;
  points?: number;
}

/** Seeds: 1 to so many, or so many from one on. */
export type Seeds = number | { from?: number; count: number };

/** The values of an axis. */
export type AxisSpec =
  readonly (Json | LabelledValue)[] | { linear: LinearRange } | { log2: Log2Range } | { seeds: Seeds };

/** A sweep. */
export interface SweepSpec {
  $schema?: string;
  /** What pages and messages call it. */
  name?: string;
  /** The config that all jobs have. */
  base?: RunFields;
  /**
   * What varies: a field of the config, `workload.PARAMETER`, `time.PATH` (a number of the time model), or
   * any name whose values set several fields. The last axis varies fastest.
   */
  axes?: Readonly<Record<string, AxisSpec>>;
  /** Runs each point with so many seeds: that of the config, and the workload's if it has one. */
  replicate?: Seeds;
  /** Points that are added: values of axes, and other fields of the config. */
  include?: readonly RunFields[];
  /** Points that are left out: those that have all of these values. A list means any of them. */
  exclude?: readonly RunFields[];
}

/** The value of each axis, as tables show it. */
export type Point = Readonly<Record<string, Json>>;

/** The axis that `replicate` makes. */
export const REPLICA = "replica";

/** One point of a sweep. */
export interface PlannedJob {
  point: Point;
  /** What `heteromem run --config` would read. */
  config: SimulationConfig & RunFields;
}
