/**
 * Quantities of a time model: a value, its unit, and its source. The units here are all that a model file may
 * use.
 */

/** How a number is known. */
export const KINDS = {
  measured: "a measurement on this machine",
  fitted: "a fit to measurements on this machine",
  specified: "the vendor's specification",
  simulated: "what a simulator uses",
  derived: "computed from other numbers, as the source says",
  borrowed: "another machine's number, for want of this one's",
} as const;

/** A number of a model. */
export interface Quantity<U extends string> {
  value: number;
  unit: U;
  kind: keyof typeof KINDS;
  /** Where the number comes from: a paper, a log, a specification. */
  source: string;
  /** The least and the most that the source gives, in the same unit. */
  low?: number;
  high?: number;
}

/** Picoseconds of each unit of time. */
export const TIME_UNITS = { ps: 1, ns: 1e3, us: 1e6, ms: 1e9, s: 1e12 } as const;
/** Bytes a second of each unit of a rate. */
export const RATE_UNITS = {
  "MB/s": 1e6,
  "GB/s": 1e9,
  "TB/s": 1e12,
  "MiB/s": 2 ** 20,
  "GiB/s": 2 ** 30,
} as const;

export type Time = Quantity<keyof typeof TIME_UNITS>;
export type Rate = Quantity<keyof typeof RATE_UNITS>;

/** Returns whole picoseconds. */
export function picoseconds({ value, unit }: Time): number {
  return Math.round(value * TIME_UNITS[unit]);
}

/** Returns whole nanoseconds. */
export function nanoseconds(time: Time): number {
  return Math.round(picoseconds(time) / TIME_UNITS.ns);
}

/** Returns the picoseconds that one byte takes at a rate; not whole. */
export function picosecondsPerByte({ value, unit }: Rate): number {
  return 1e12 / (value * RATE_UNITS[unit]);
}
