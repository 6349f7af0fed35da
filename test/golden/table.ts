/** The table of docs/linux.md: how much of each record file the engine matches. */
import { COLUMNS, detailColumn, type Column } from "./compare.ts";
import type { LinuxVersion } from "../../src/index.ts";
import type { Scenario } from "./records.ts";
import type { ScenarioResult } from "./replay.ts";

/** The marks around the tables on the page. */
const BEGIN: Readonly<Record<LinuxVersion, string>> = {
  "6.12": "<!-- golden: written by `npm run golden -- --table` -->",
  "7.3": "<!-- golden 7.3: written by `npm run golden -- --table` -->",
};
const END = "<!-- /golden -->";

/** The columns of each table: the records of 6.12 do not show page frames. */
const TABLE_COLUMNS: Readonly<Record<LinuxVersion, readonly Column[]>> = {
  "6.12": COLUMNS.filter((column) => column !== "kpf"),
  "7.3": COLUMNS,
};

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

function row(name: string, all: number, sum: Sum, columns: readonly Column[]): string {
  const ran = sum.scenarios === all ? `${all}` : `${sum.scenarios} of ${all}`;
  const cells = columns.map((column) => share(sum.differ[column], sum.compared[column]));
  return `| ${[name, ran, sum.operations.toLocaleString("en-US"), ...cells].join(" | ")} |`;
}

/**
 * Returns the table of a kernel's records, with one row for each file. `results` are the results of the
 * replayed scenarios.
 */
export function goldenTable(
  linux: LinuxVersion,
  scenarios: readonly Scenario[],
  results: readonly ScenarioResult[],
): string {
  const columns = TABLE_COLUMNS[linux];
  const all = scenarios.filter((scenario) => scenario.linux === linux);
  const files = [...new Set(all.map(({ file }) => file))].sort();
  const rowOf = (name: string, of: readonly Scenario[]): string =>
    row(name, of.length, sumOf(results.filter((result) => of.includes(result.scenario))), columns);
  const rows = files.map((file) =>
    rowOf(
      file.replace(/\.jsonl(\.gz)?$/, ""),
      all.filter((scenario) => scenario.file === file),
    ),
  );
  const names = columns.map((column) => (column === "strict" ? column : `\`${column}\``));
  return [
    `| ${["records", "scenarios", "operations", ...names].join(" | ")} |`,
    `|${"---|".repeat(columns.length + 3)}`,
    ...rows,
    rowOf("**all**", all),
  ].join("\n");
}

/** Returns a table of the page. Throws if the page has no place for it. */
export function tableIn(document: string, linux: LinuxVersion): string {
  const [from, to] = place(document, linux);
  return document.slice(from, to).trim();
}

/** Returns the page with another table. Throws if the page has no place for it. */
export function withTable(document: string, linux: LinuxVersion, table: string): string {
  const [from, to] = place(document, linux);
  return `${document.slice(0, from)}\n${table}\n${document.slice(to)}`;
}

function place(document: string, linux: LinuxVersion): [from: number, to: number] {
  const begin = document.indexOf(BEGIN[linux]);
  const end = document.indexOf(END, begin);
  if (begin < 0 || end < 0) throw new Error(`no ${BEGIN[linux]} … ${END} in the document`);
  return [begin + BEGIN[linux].length, end];
}
