/** Parses the values of the command's options, and says what is wrong with them. */
import { readFileSync } from "node:fs";
import type { OffloadRange } from "../sim.ts";
import { ADDRESS_END, parseRange, whyNoRange } from "../sim/address-range.ts";
import { fileError, UserError } from "./errors.ts";

const SYMBOL = /^(?:([^=\s]+)=)?([^=\s-]+)$/;

/** Parses a whole number from 1 to 2^32 - 1. Throws UserError for anything else. */
export function parseCount(option: string, text: string): number {
  const n = /^\d+$/.test(text) ? Number(text) : 0;
  if (n < 1 || n > 0xffffffff) throw new UserError(`${option} ${text}: expected a whole number from 1 on`);
  return n;
}

/** Parses one of `choices`. Throws UserError for anything else. */
export function parseChoice<T extends string>(option: string, text: string, choices: readonly T[]): T {
  const choice = choices.find((one) => one === text);
  if (choice === undefined) throw new UserError(`${option} ${text}: expected ${choices.join(" or ")}`);
  return choice;
}

/** Parses an address, with or without 0x. Throws UserError for anything else. */
export function parseAddress(option: string, text: string): number {
  const value = /^(?:0x)?[0-9a-f]{1,16}$/i.test(text) ? Number.parseInt(text, 16) : NaN;
  if (!(value < ADDRESS_END))
    throw new UserError(`${option} ${text}: expected an address below 2^48, as 0x…`);
  return value;
}

/** An offload range, and for messages, where it was written. */
export interface NamedRange extends OffloadRange {
  origin: string;
}

/** A value of --offload: a range, or the name of a function of --binary. */
export type OffloadValue = NamedRange | { name: string; symbol: string; origin: string };

function parseValue(origin: string, text: string): OffloadValue {
  const range = parseRange(text);
  const named = SYMBOL.exec(text);
  if (range === null && (named === null || /^0x/i.test(text)))
    throw new UserError(`${origin}: expected [NAME=]0xSTART-0xEND or a function's name, found '${text}'`);
  if (range === null) return { name: named![1] ?? named![2], symbol: named![2], origin };
  const wrong = whyNoRange(range);
  if (wrong !== null) throw new UserError(`${origin}: expected ${wrong}, found '${text}'`);
  return { ...range, origin };
}
/** Reads the values of a file: one a line, without blank lines and comments, which start with a #. */
function readValues(path: string): OffloadValue[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw fileError(path, error);
  }
  const values = text
    .replace(/^\ufeff/, "")
    .split("\n")
    .flatMap((line, i) => {
      const content = line.replace(/#.*/, "").trim();
      return content === "" ? [] : [parseValue(`${path}:${i + 1}`, content)];
    });
  if (values.length === 0) throw new UserError(`${path}:1: no offload range in this file`);
  return values;
}

/** Parses all --offload values: ranges, functions, and @FILE for those of a file. */
export function parseOffload(values: readonly string[]): OffloadValue[] {
  return values.flatMap((value) =>
    value.startsWith("@") ? readValues(value.slice(1)) : [parseValue(`--offload ${value}`, value)],
  );
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
