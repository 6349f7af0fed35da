/** `heteromem compare A B`: what differs between two reports. */
import { readFileSync } from "node:fs";
import { REPORT_SCHEMA, type SimulationReport } from "../sim.ts";
import { compareHtml } from "../report/compare-html.ts";
import { fileError, UserError } from "./errors.ts";
import { OutputFile } from "./output.ts";
import { count } from "./words.ts";

type Value = string | number | boolean | null;

/** A key whose values differ; a value is null where a report lacks the key. */
export interface Difference {
  key: string;
  a: Value;
  b: Value;
  /** b − a, and b divided by a, of numbers; null otherwise, and where a is 0. */
  change: number | null;
  ratio: number | null;
}

function readReport(path: string): object {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) throw new UserError(`${path}: this is no JSON: ${error.message}`);
    throw fileError(path, error);
  }
  if (typeof content !== "object" || content === null || !("schema" in content))
    throw new UserError(`${path}: this is no report of heteromem run --json`);
  if (content.schema !== REPORT_SCHEMA)
    throw new UserError(`${path}: a report of ${String(content.schema)}; expected ${REPORT_SCHEMA}`);
  return content;
}

/** What an item of a list is called: its name where it has one, so that lists in other orders compare. */
function labelOf(item: unknown, index: number): string {
  const { name, kind } = (item ?? {}) as { name?: string; kind?: string };
  return String(name ?? kind ?? index);
}

/** Every value in a report by its path, as docs/run.md writes it. */
function leaves(value: unknown, path = ""): [key: string, value: Value][] {
  if (typeof value !== "object" || value === null) return [[path, value as Value]];
  if (Array.isArray(value))
    return value.flatMap((item: unknown, i) => leaves(item, `${path}[${labelOf(item, i)}]`));
  return Object.entries(value).flatMap(([key, item]) => leaves(item, path === "" ? key : `${path}.${key}`));
}

/** Returns what differs, in the order of the first report. */
export function differences(a: object, b: object): Difference[] {
  const [first, second] = [new Map(leaves(a)), new Map(leaves(b))];
  const keys = [...new Set([...first.keys(), ...second.keys()])];
  return keys.flatMap((key) => {
    const [one, other] = [first.get(key) ?? null, second.get(key) ?? null];
    if (one === other) return [];
    const numbers = typeof one === "number" && typeof other === "number";
    const change = numbers ? other - one : null;
    return [{ key, a: one, b: other, change, ratio: numbers && one !== 0 ? other / one : null }];
  });
}

const shown = (value: Value): string => (typeof value === "number" ? count(value) : String(value ?? "–"));

/** A change in words: "+12.5 %", or by how much where there is no share. */
function changeOf({ change, ratio }: Difference): string {
  if (change === null) return "";
  const sign = change > 0 ? "+" : "−";
  if (ratio === null) return `${sign}${count(Math.abs(change))}`;
  return ratio >= 10 ? `× ${ratio.toFixed(1)}` : `${sign}${(100 * Math.abs(ratio - 1)).toFixed(1)} %`;
}

/** Differences as a table, without a final newline. */
export function formatDifferences(all: readonly Difference[], files: readonly [string, string]): string {
  if (all.length === 0) return "The reports are the same.";
  const rows = [
    ["", ...files, "change"],
    ...all.map((one) => [one.key, shown(one.a), shown(one.b), changeOf(one)]),
  ];
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  "),
    )
    .map((line) => line.trimEnd())
    .join("\n");
}

/** What the command is asked for. */
interface CompareOptions {
  json?: boolean;
  html?: string;
}

/** Writes the page of several runs. */
function writePage(path: string, files: readonly string[]): void {
  const runs = files.map((name) => ({ name, report: readReport(name) as SimulationReport }));
  const file = OutputFile.open(path, null);
  file.write(new TextEncoder().encode(compareHtml(runs)));
  file.close();
}

/**
 * Runs the command: prints what differs between the first report and each of the others, or writes a page.
 * Throws UserError for files that are no reports.
 */
export function compare(a: string, b: string, more: readonly string[], options: CompareOptions): void {
  const { json = false, html } = options;
  if (html !== undefined) return writePage(html, [a, b, ...more]);
  if (json && more.length > 0) throw new UserError("compare --json: expected two reports");
  const first = readReport(a);
  if (more.length > 0) {
    const tables = [b, ...more].map((file) =>
      formatDifferences(differences(first, readReport(file)), [a, file]),
    );
    process.stdout.write(`${tables.join("\n\n")}\n`);
    return;
  }
  const all = differences(first, readReport(b));
  const result = { schema: "heteromem-compare/1", a, b, differences: all };
  process.stdout.write(`${json ? JSON.stringify(result, null, 2) : formatDifferences(all, [a, b])}\n`);
}
