/** Parses the values of the command's options, and says what is wrong with them. */
import { readFileSync } from "node:fs";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import type { OffloadRange } from "../text/lackey.ts";
import { fileError, UserError } from "./errors.ts";

const SIZE = /^(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|TiB)?$/i;
const UNIT: Record<string, number> = { b: 1, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 };
/** Addresses with 0x, or as nm prints them: 8 or 16 digits. */
const HEX = "(?:0x([0-9a-f]{1,16})|([0-9a-f]{8}|[0-9a-f]{16}))";
const RANGE = new RegExp(`^(?:([^=\\s]+)=)?${HEX}-${HEX}$`, "i");
const SYMBOL = /^(?:([^=\s]+)=)?([^=\s-]+)$/;
/** Addresses of user space, of which the engine's are the lower 2^47. */
const ADDRESS_END = 2 ** 48;

/**
 * Parses a number of bytes, "65536", "256KiB" or "1.5GiB". Throws UserError unless it is whole pages, at
 * least `least`.
 */
export function parseSize(option: string, text: string, least: number = PAGE_SIZE): number {
  const match = SIZE.exec(text.trim());
  if (!match)
    throw new UserError(`${option} ${text}: expected a size such as 65536, 256KiB, 64MiB or 1.5GiB`);
  const bytes = Number(match[1]) * UNIT[(match[2] ?? "B").toLowerCase()];
  if (!Number.isSafeInteger(bytes) || bytes % PAGE_SIZE !== 0) {
    throw new UserError(`${option} ${text}: expected a whole number of ${PAGE_SIZE}-byte pages`);
  }
  if (bytes < least)
    throw new UserError(`${option} ${text}: too small, at least ${least / 1024}KiB are needed`);
  return bytes;
}

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
  const range = RANGE.exec(text);
  const named = SYMBOL.exec(text);
  if (range === null && (named === null || /^0x/i.test(text)))
    throw new UserError(`${origin}: expected [NAME=]0xSTART-0xEND or a function's name, found '${text}'`);
  if (range === null) return { name: named![1] ?? named![2], symbol: named![2], origin };
  const [, name, start, bareStart, end, bareEnd] = range;
  const digits = [start ?? bareStart, end ?? bareEnd];
  const [from, to] = digits.map((text) => Number.parseInt(text, 16));
  if (from >= ADDRESS_END || to > ADDRESS_END)
    throw new UserError(`${origin}: expected addresses below 2^48, found '${text}'`);
  if (to <= from)
    throw new UserError(`${origin}: the range ${text} is empty: its end is the first address after it`);
  return { name: name ?? `0x${digits[0]}-0x${digits[1]}`, start: from, end: to, origin };
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
