/** The figures of a report beside those of src/report: times by cause, and all of them by name. */
import { criticalOf, FIGURES, type ReportFigure } from "../report/figures.ts";
import { CAUSES } from "../sim/time/causes.ts";
import type { SimulationReport } from "../sim.ts";

/** Titles that stand alone, where those of a run's report stand below a heading. */
const TITLES: Readonly<Record<string, string>> = {
  bytesIn: "bytes to the device",
  bytesInAgain: "bytes to the device again",
  bytesOut: "bytes from the device",
};

/** The figures of a sweep's tables and pages. */
export const SWEEP_FIGURES: readonly ReportFigure[] = FIGURES.map((figure) => ({
  ...figure,
  title: TITLES[figure.key] ?? figure.title,
}));

/** Returns the causes of time that any report has, as figures: what each takes of the critical path. */
export function causeFigures(reports: readonly SimulationReport[]): ReportFigure[] {
  const names = new Set(reports.flatMap(({ timing }) => timing?.causes.map(({ cause }) => cause) ?? []));
  return [...names].sort().map((cause) => ({
    key: `time.${cause}`,
    title: `time: ${CAUSES[cause].text}`,
    unit: "ps",
    of: (report) => (report.timing === null ? null : criticalOf(report, cause)),
  }));
}

/** Returns every value of a report by its path; lists are left out, but for times by cause. */
export function leavesOf(report: object, path = ""): [key: string, value: string | number | boolean][] {
  return Object.entries(report).flatMap(([name, value]: [string, unknown]) => {
    const key = path === "" ? name : `${path}.${name}`;
    if (key === "timing.causes")
      return (value as { cause: string }[]).flatMap(({ cause, ...times }) =>
        leavesOf(times, `${key}.${cause}`),
      );
    if (Array.isArray(value) || value === null) return [];
    if (typeof value === "object") return leavesOf(value, key);
    return [[key, value as string | number | boolean]];
  });
}
