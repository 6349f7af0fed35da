/** Tables of results: text for a terminal, CSV, and JSON. */
import { summaryOf } from "../report/statistics.ts";
import type { Json } from "./canonical.ts";
import { leavesOf, SWEEP_FIGURES } from "./figures.ts";
import type { Results, ResultRow } from "./rows.ts";
import { REPLICA, type Point } from "./spec.ts";

/** Writes a figure of a unit. */
export type WriteFigure = (value: number, unit: "count" | "bytes" | "ps") => string;

const shown = (value: Json | undefined): string =>
  value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);

/** Rows whose points differ in their seeds only. */
function groupsOf(rows: readonly ResultRow[]): ResultRow[][] {
  const groups = new Map<string, ResultRow[]>();
  for (const row of rows) {
    const { [REPLICA]: _, ...point } = row.point;
    const key = JSON.stringify(point);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()];
}

/** The columns of a table: those where any row has a figure other than 0. */
const FIRST = ["time", "deviceFaults", "faultGroups", "bytesIn", "bytesOut", "evictions", "remote"];

/** What came of a point's jobs, if they are not all done: "1 of 5 failed, 2 of 5 missing". */
function stateOf(group: readonly ResultRow[]): string {
  if (group.length === 1) return group[0].status === "done" ? "" : group[0].status;
  const states = (["failed", "missing"] as const).map((status) => {
    const n = group.filter((row) => row.status === status).length;
    return n === 0 ? "" : `${n} of ${group.length} ${status}`;
  });
  return states.filter((state) => state !== "").join(", ");
}

/**
 * Returns the table of a terminal, without a final newline: a line for each point, with means over its seeds
 * and half the width of their intervals.
 */
export function tableText({ manifest, rows }: Results, write: WriteFigure): string {
  const axes = manifest.axes.filter((name) => name !== REPLICA);
  const figures = SWEEP_FIGURES.filter(({ key }) => FIRST.includes(key)).filter(({ of }) =>
    rows.some(({ report }) => report !== null && (of(report) ?? 0) !== 0),
  );
  const lines = groupsOf(rows).map((group) => {
    const reports = group.flatMap(({ report }) => (report === null ? [] : [report]));
    const state = stateOf(group);
    const cells = figures.map(({ of, unit }) => {
      const values = reports.map(of).filter((value) => value !== null);
      if (values.length === 0) return "";
      const { mean, half } = summaryOf(values);
      return half === 0 ? write(mean, unit) : `${write(mean, unit)} ± ${write(half, unit)}`;
    });
    return [...axes.map((name) => shown(group[0].point[name])), ...cells, state];
  });
  const table = [[...axes, ...figures.map(({ title }) => title), ""], ...lines];
  const widths = table[0].map((_, i) => Math.max(...table.map((line) => line[i].length)));
  return table
    .map((line) =>
      line.map((cell, i) => (i < axes.length ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))),
    )
    .map((line) => line.join("  ").trimEnd())
    .join("\n");
}

/** A cell of CSV (RFC 4180). */
function cell(value: Json | undefined): string {
  const text = shown(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A row as JSON and CSV have it: its point, and all figures by their paths. */
export interface FlatRow {
  id: string;
  status: ResultRow["status"];
  error: string | null;
  point: Point;
  figures: Record<string, string | number | boolean>;
}

/** Returns all rows with all figures. */
export function flatRows({ rows }: Results): FlatRow[] {
  return rows.map(({ id, status, error, point, report }) => ({
    id,
    status,
    error,
    point,
    figures: report === null ? {} : Object.fromEntries(leavesOf(report)),
  }));
}

/** Returns CSV: a line for each job, with its axes and all figures by their paths in the report. */
export function csvText(results: Results): string {
  const rows = flatRows(results);
  const { axes } = results.manifest;
  const keys = [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))];
  const head = ["id", "status", "error", ...axes, ...keys];
  const lines = rows.map(({ id, status, error, point, figures }) => [
    id,
    status,
    error ?? "",
    ...axes.map((name) => point[name]),
    ...keys.map((key) => figures[key]),
  ]);
  return [head, ...lines].map((line) => `${line.map(cell).join(",")}\r\n`).join("");
}
