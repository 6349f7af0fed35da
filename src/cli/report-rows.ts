/** Rows of the report's text. */
import { count } from "./words.ts";

/** Columns of a label, and of a value. */
export const LABEL = 24;
export const VALUE = 14;

/** A number of bytes in the largest unit that keeps it at 1 or above: 1.5 MiB. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number.isInteger(value) ? count(value) : value.toFixed(value < 10 ? 2 : 1)} ${units[unit]}`;
}

/** A labelled value, and what it is about. */
export function row(label: string, value: string | number, note = ""): string {
  const text = typeof value === "number" ? count(value) : value;
  return `  ${label.padEnd(LABEL - 2)}${text.padStart(VALUE)}${note === "" ? "" : `  ${note}`}`;
}
