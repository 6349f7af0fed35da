/** Named ranges of addresses, as text and as objects. */
import { ConfigError } from "./config-error.ts";

/** Bytes from `start` to before `end`. */
export interface AddressRange {
  name: string;
  start: number;
  end: number;
}

/** Addresses with 0x, or as nm prints them: 8 or 16 digits. */
const HEX = "(?:0x([0-9a-f]{1,16})|([0-9a-f]{8}|[0-9a-f]{16}))";
const RANGE = new RegExp(`^(?:([^=\\s]+)=)?${HEX}-${HEX}$`, "i");
/** Addresses of user space, of which the engine's are the lower 2^47. */
export const ADDRESS_END = 2 ** 48;

/** Reads "[NAME=]0xSTART-0xEND"; a range without a name has its addresses for one. Null for other texts. */
export function parseRange(text: string): AddressRange | null {
  const match = RANGE.exec(text);
  if (match === null) return null;
  const [, name, start, bareStart, end, bareEnd] = match;
  const digits = [start ?? bareStart, end ?? bareEnd];
  const [from, to] = digits.map((text) => Number.parseInt(text, 16));
  return { name: name ?? `0x${digits[0]}-0x${digits[1]}`, start: from, end: to };
}

/** What is wrong with a range's bounds; null if nothing is. */
export function whyNoRange({ start, end }: AddressRange): string | null {
  const fits = (address: number): boolean => Number.isSafeInteger(address) && address >= 0;
  if (!fits(start) || !fits(end) || start >= ADDRESS_END || end > ADDRESS_END) return "addresses below 2^48";
  return end <= start ? "a range that is not empty: its end is the first address after it" : null;
}

/** Returns the range that an item of a config's list stands for. Throws ConfigError. */
export function rangeOf(field: string, item: unknown): AddressRange {
  const given = typeof item === "string" ? parseRange(item) : (item as Partial<AddressRange> | null);
  if (typeof given !== "object" || given === null || given.start === undefined || given.end === undefined)
    throw new ConfigError(field, item, "[NAME=]0xSTART-0xEND");
  const { start, end } = given;
  const range = { name: given.name ?? `0x${start.toString(16)}-0x${end.toString(16)}`, start, end };
  const wrong = whyNoRange(range);
  if (wrong !== null) throw new ConfigError(field, typeof item === "string" ? item : range.name, wrong);
  return range;
}

/** Returns ranges in the order of their addresses. Throws ConfigError for two that overlap. */
export function checkDisjoint<R extends AddressRange>(field: string, ranges: readonly R[]): R[] {
  const sorted = [...ranges].sort((a, b) => a.start - b.start);
  sorted.forEach((range, i) => {
    const before = sorted[i - 1];
    if (before && before.end > range.start)
      throw new ConfigError(field, range.name, `a range that does not overlap ${before.name}`);
  });
  return sorted;
}
