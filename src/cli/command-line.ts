/** What a page says of a run beside its figures: the command that gives the same page, and its settings. */
import type { PictureOf } from "../report/recorder.ts";
import type { RangePicture } from "../report/picture.ts";
import type { RecordSource } from "../sim.ts";
import type { RunReport } from "./report.ts";

/** The option for a field: --system-memory for systemMemory. Lists are given one item at a time. */
export function optionOf(field: string): string {
  const singular = { deviceRanges: "deviceRange", ranges: "range", homes: "home" }[field] ?? field;
  return `--${singular.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Fields that say where a run writes, which the command for the same page names last. */
const FILES = ["html", "perfetto"];

/** A word for a shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A value of a field as options give it. */
function words(field: string, value: unknown): string[] {
  if (value === undefined || value === false) return [];
  if (field === "trace") return [quoted(value as string)];
  if (value === true) return [optionOf(field)];
  const items: unknown[] = Array.isArray(value) ? value : [value];
  return items.flatMap((item) => [
    optionOf(field),
    quoted(typeof item === "string" ? item : JSON.stringify(item)),
  ]);
}

/** Returns the command with these fields. */
export function commandOf(given: Readonly<Record<string, unknown>>): string {
  const fields = Object.entries(given).sort(
    ([a], [b]) => Number(FILES.includes(a)) - Number(FILES.includes(b)),
  );
  return ["heteromem run", ...fields.flatMap(([field, value]) => words(field, value))].join(" ");
}

/**
 * Returns what the picture of a run has beside what was recorded.
 * @param given the config's fields as the user gave them
 */
export function aboutRun(
  given: Readonly<Record<string, unknown>>,
  report: RunReport,
  source: RecordSource,
): PictureOf {
  const timed = report.timing !== null;
  return {
    title: report.trace.file,
    command: commandOf(given),
    settings: Object.entries(given)
      .filter(([field]) => !FILES.includes(field))
      .map(([field, value]) => [field, typeof value === "string" ? value : JSON.stringify(value)]),
    report,
    unit: timed ? "ps" : "accesses",
    length: timed ? report.timing!.total : report.trace.accesses,
    ranges: rangesOf(report, source),
  };
}

/** Named ranges: the source's, and those that the report found. */
function rangesOf(report: RunReport, { ranges = [] }: RecordSource): RangePicture[] {
  const known = new Set(ranges.map(({ name }) => name));
  const found = report.ranges
    .filter(({ name }) => !known.has(name))
    .map(({ name, start, bytes }) => ({ name, start: Number(start), bytes }));
  return [...ranges.map(({ name, start, bytes }) => ({ name, start, bytes })), ...found];
}
