/** Sizes as people write them. */

const SIZE = /^(\d+(?:\.\d+)?)\s*(?:([KMGT])(?:i?B)?|B)?$/i;
const UNITS: Record<string, number> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/**
 * The bytes of a size: a number with or without a unit. K, KB and KiB are 1,024 bytes, and so on up to T.
 * Returns NaN for a text that is no size, or not a whole number of bytes.
 */
export function parseBytes(text: string): number {
  const [, digits, unit = ""] = SIZE.exec(text.trim()) ?? [];
  const bytes = Number(digits) * UNITS[unit.toLowerCase()];
  return Number.isSafeInteger(bytes) ? bytes : NaN;
}
