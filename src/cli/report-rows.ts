/** Rows of the report's text. */
import { count } from "./words.ts";

/** Columns of a label, and of a value. */
export const LABEL = 24;
export const VALUE = 14;

/** A labelled value, and what it is about. */
export function row(label: string, value: string | number, note = ""): string {
  const text = typeof value === "number" ? count(value) : value;
  return `  ${label.padEnd(LABEL - 2)}${text.padStart(VALUE)}${note === "" ? "" : `  ${note}`}`;
}
