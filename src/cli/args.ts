/** Parses the values of the command's options, and says what is wrong with them. */
import { readFileSync } from "node:fs";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import type { OffloadRange } from "../text/lackey.ts";
import { fileError, UserError } from "./errors.ts";

const SIZE = /^(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB|TiB)?$/i;
const UNIT: Record<string, number> = { b: 1, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 };
const RANGE = /^(?:([^=\s]+)=)?0x([0-9a-f]{1,12})-0x([0-9a-f]{1,12})$/i;

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

/** An offload range, and for messages, where it was written. */
export interface NamedRange extends OffloadRange {
  origin: string;
}

function parseRange(origin: string, text: string): NamedRange {
  const match = RANGE.exec(text);
  if (!match) throw new UserError(`${origin}: expected [NAME=]0xSTART-0xEND, found '${text}'`);
  const start = Number.parseInt(match[2], 16);
  const end = Number.parseInt(match[3], 16);
  if (end <= start)
    throw new UserError(`${origin}: the range ${text} is empty: its end is the first address after it`);
  return { name: match[1] ?? `0x${match[2]}-0x${match[3]}`, start, end, origin };
}

/** Reads the ranges of a file: one a line, without blank lines and comments, which start with a #. */
function readRanges(path: string): NamedRange[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw fileError(path, error);
  }
  const ranges = text.split("\n").flatMap((line, i) => {
    const content = line.replace(/#.*/, "").trim();
    return content === "" ? [] : [parseRange(`${path}:${i + 1}`, content)];
  });
  if (ranges.length === 0) throw new UserError(`${path}:1: no offload range in this file`);
  return ranges;
}

/** Parses all --offload values: ranges, and @FILE for the ranges of a file. Throws UserError for overlaps. */
export function parseOffload(values: readonly string[]): NamedRange[] {
  const ranges = values.flatMap((value) =>
    value.startsWith("@") ? readRanges(value.slice(1)) : [parseRange(`--offload ${value}`, value)],
  );
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
