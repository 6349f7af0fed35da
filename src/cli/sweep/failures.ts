/** Says why jobs of a sweep failed. */
import { count, plural } from "../words.ts";

/** Reasons of failures that are shown, at most. */
const REASONS = 5;

/** The reasons why jobs failed, a line each, the most frequent first; null: a job that did not fail. */
export function reasons(errors: readonly (string | null)[]): string {
  const times = new Map<string, number>();
  for (const error of errors) if (error !== null) times.set(error, (times.get(error) ?? 0) + 1);
  const lines = [...times].sort(([, a], [, b]) => b - a);
  const more = lines.length > REASONS ? `and ${plural(lines.length - REASONS, "more reason")}\n` : "";
  const shown = lines.slice(0, REASONS).map(([error, n]) => `${count(n)} failed: ${error}\n`);
  return shown.join("") + more;
}
