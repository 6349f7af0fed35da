/** Bitmaps of pages as tests write and read them: lists of runs, both ends included. */
import { newBits, runsOf, setRange, type Bits } from "../../../../src/sim/driver/bits.ts";

/** Runs of pages, each from its first to its last. */
export type Runs = readonly (readonly number[])[];

/** Returns the bitmap of some runs. */
export function bitsOf(runs: Runs): Bits {
  const bits = newBits();
  for (const [first, last] of runs) setRange(bits, first, last + 1);
  return bits;
}

/** Returns the runs of a bitmap. */
export function listOf(bits: Bits): number[][] {
  return runsOf(bits).map(([first, end]) => [first, end - 1]);
}
