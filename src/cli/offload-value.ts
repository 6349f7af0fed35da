/** Code of a traced program that would run on the device, as options and pages name it. */
import type { OffloadRange } from "../sim.ts";
import { parseRange, whyNoRange } from "../sim/address-range.ts";
import { UserError } from "./errors.ts";

const SYMBOL = /^(?:([^=\s]+)=)?([^=\s-]+)$/;

/** An offload range, and for messages, where it was written. */
export interface NamedRange extends OffloadRange {
  origin: string;
}

/** A value of --offload: a range, or the name of a function of --binary. */
export type OffloadValue = NamedRange | { name: string; symbol: string; origin: string };

/** Parses one value. Throws UserError, which names where it was written, for anything else. */
export function offloadValue(origin: string, text: string): OffloadValue {
  const range = parseRange(text);
  const named = SYMBOL.exec(text);
  if (range === null && (named === null || /^0x/i.test(text)))
    throw new UserError(`${origin}: expected [NAME=]0xSTART-0xEND or a function's name, found '${text}'`);
  if (range === null) return { name: named![1] ?? named![2], symbol: named![2], origin };
  const wrong = whyNoRange(range);
  if (wrong !== null) throw new UserError(`${origin}: expected ${wrong}, found '${text}'`);
  return { ...range, origin };
}

/** Returns the ranges. Throws UserError for two of one name, and for ranges that overlap. */
export function checkRanges(ranges: NamedRange[]): NamedRange[] {
  const sorted = [...ranges].sort((a, b) => a.start - b.start);
  sorted.forEach((range, i) => {
    const before = sorted[i - 1];
    if (before && before.end > range.start) {
      throw new UserError(`${range.origin}: ${range.name} overlaps ${before.name} (${before.origin})`);
    }
  });
  const names = new Set<string>();
  for (const { name, origin } of ranges) {
    if (names.has(name)) throw new UserError(`${origin}: two offload ranges are named ${name}`);
    names.add(name);
  }
  return ranges;
}
