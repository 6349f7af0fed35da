/** The table of docs/linux.md: how much of each record file the engine matches. */
import { COLUMNS, detailColumn, type Column } from "./compare.ts";
import type { Scenario } from "./records.ts";
import type { ScenarioResult } from "./replay.ts";

/** The marks around the table on the page. */
const BEGIN = "<!-- golden: written by `npm run golden -- --table` -->";
const END = "<!-- /golden -->";

/** Counts of compared and of different fields for each column. */
interface Sum {
  scenarios: number;
  operations: number;
  compared: Record<Column, number>;
  differ: Record<Column, number>;
}

const none = (): Record<Column, number> => ({ strict: 0, vma: 0, pm: 0, flt: 0, smaps: 0, kpf: 0 });

function sumOf(results: readonly ScenarioResult[]): Sum {
  const sum: Sum = { scenarios: results.length, operations: 0, compared: none(), differ: none() };
  for (const { operations, compared, mismatches, details } of results) {
    sum.operations += operations;
    for (const column of COLUMNS) sum.compared[column] += compared[column];
    sum.differ.strict += mismatches.length;
    for (const { field } of details) sum.differ[detailColumn(field)]++;
  }
  return sum;
}

/** Formats a percentage and its total. It is 100 only without a difference, and "–" for a total of 0. */
function share(differ: number, compared: number): string {
  if (compared === 0) return "–";
  const percent = (100 * (compared - differ)) / compared;
  const text = differ === 0 ? "100 %" : `${(Math.floor(percent * 100) / 100).toFixed(2)} %`;
  return `${text} of ${compared.toLocaleString("en-US")}`;
}

function row(name: string, all: number, sum: Sum): string {
  const ran = sum.scenarios === all ? `${all}` : `${sum.scenarios} of ${all}`;
  const cells = COLUMNS.map((column) => share(sum.differ[column], sum.compared[column]));
  return `| ${[name, ran, sum.operations.toLocaleString("en-US"), ...cells].join(" | ")} |`;
}

/**
 * Returns the table with one row for each record file. `results` are the results of the replayed scenarios.
 */
export function goldenTable(scenarios: readonly Scenario[], results: readonly ScenarioResult[]): string {
  const files = [...new Set(scenarios.map(({ file }) => file))].sort();
  const rows = files.map((file) => {
    const all = scenarios.filter((scenario) => scenario.file === file).length;
    return row(
      file.replace(/\.jsonl(\.gz)?$/, ""),
      all,
      sumOf(results.filter((r) => r.scenario.file === file)),
    );
  });
  return [
    "| records | scenarios | operations | strict | `vma` | `pm` | `flt` | `smaps` | `kpf` |",
    "|---|---|---|---|---|---|---|---|---|",
    ...rows,
    row("**all**", scenarios.length, sumOf(results)),
  ].join("\n");
}

/** Returns the page's table. Throws if the page has no place for it. */
export function tableIn(document: string): string {
  const [from, to] = place(document);
  return document.slice(from, to).trim();
}

/** Returns the page with another table. Throws if the page has no place for it. */
export function withTable(document: string, table: string): string {
  const [from, to] = place(document);
  return `${document.slice(0, from)}\n${table}\n${document.slice(to)}`;
}

function place(document: string): [from: number, to: number] {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END, begin);
  if (begin < 0 || end < 0) throw new Error(`no ${BEGIN} … ${END} in the document`);
  return [begin + BEGIN.length, end];
}
