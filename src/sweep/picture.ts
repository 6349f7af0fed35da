/** The results of a sweep as its page draws them. */
import type { SweepPicture, SweepRow } from "../report/sweep-picture.ts";
import { canonical } from "./canonical.ts";
import { causeFigures, SWEEP_FIGURES } from "./figures.ts";
import type { ResultRow, Results } from "./rows.ts";
import { REPLICA } from "./spec.ts";

/**
 * Returns the picture of what is done.
 * @param commandOf the command that runs a job again
 */
export function sweepPicture(
  { manifest, rows, counts }: Results,
  commandOf: (row: ResultRow) => string,
): SweepPicture {
  const done = rows.flatMap(({ report, ...row }) => (report === null ? [] : [{ ...row, report }]));
  const reports = done.map(({ report }) => report);
  const figures = [...SWEEP_FIGURES, ...causeFigures(reports)].filter(({ of }) =>
    reports.some((report) => (of(report) ?? 0) !== 0),
  );
  const axes = manifest.axes.map((name) => {
    const values = rows.flatMap(({ point }) => (name in point ? [point[name]] : []));
    const texts = values.map((value) => (typeof value === "string" ? value : canonical(value)));
    return { name, values: [...new Set(texts)] };
  });
  const indexOf = axes.map(({ values }) => new Map(values.map((value, i) => [value, i])));
  const list = done.map((row): SweepRow => {
    const at = axes.map(({ name }, i) => {
      const value = row.point[name];
      if (value === undefined) return -1;
      return indexOf[i].get(typeof value === "string" ? value : canonical(value))!;
    });
    const values = figures.map(({ of }) => of(row.report));
    return { id: row.id, at, values, command: commandOf(row) };
  });
  const written = (n: number): string => n.toLocaleString("en-US");
  const states = [`${written(counts.done)} of ${written(rows.length)} jobs done`];
  if (counts.failed > 0) states.push(`${counts.failed} failed`);
  if (counts.missing > 0) states.push(`${counts.missing} missing`);
  return {
    title: manifest.name,
    lead: [...states, `heteromem ${manifest.engine}`].join(" · "),
    axes,
    replica: manifest.axes.indexOf(REPLICA),
    figures: figures.map(({ key, title, unit }) => ({ key, title, unit })),
    rows: list,
  };
}
