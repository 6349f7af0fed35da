/** The figures of reports, by which runs are compared, and how a comparison writes them. */
import { CAUSE_NAMES, type TimeCause } from "../sim/time/causes.ts";
import type { SimulationReport } from "../sim.ts";
import { PALETTE } from "./palette.ts";
import type { Figure } from "./sweep-picture.ts";

/** A run, by its file. */
export interface ComparedRun {
  name: string;
  report: SimulationReport;
}

/** A figure, and where a report has it; null: it has none. */
export interface ReportFigure extends Figure {
  of: (report: SimulationReport) => number | null;
}

/** The figures of tables and pages. */
export const FIGURES: readonly ReportFigure[] = [
  { key: "deviceMemory", title: "device memory", unit: "bytes", of: ({ memory }) => memory.device },
  { key: "time", title: "time", unit: "ps", of: ({ timing }) => timing?.total ?? null },
  { key: "deviceFaults", title: "device faults", unit: "count", of: ({ faults }) => faults.device },
  { key: "faultGroups", title: "fault groups", unit: "count", of: ({ managed }) => managed.groups },
  { key: "cpuFaults", title: "CPU faults", unit: "count", of: ({ faults }) => faults.cpu },
  { key: "bytesIn", title: "to the device", unit: "bytes", of: ({ device }) => device.bytesIn },
  { key: "bytesInAgain", title: "of that again", unit: "bytes", of: ({ device }) => device.bytesInAgain },
  { key: "bytesOut", title: "left the device", unit: "bytes", of: ({ device }) => device.bytesOut },
  { key: "evictions", title: "evictions", unit: "count", of: ({ evictions }) => evictions },
  {
    key: "remote",
    title: "device accesses to RAM",
    unit: "count",
    of: ({ accesses: { device } }) => device.ram.loads + device.ram.stores,
  },
  { key: "bytesPeak", title: "peak on the device", unit: "bytes", of: ({ device }) => device.bytesPeak },
  { key: "invalidations", title: "invalidations", unit: "count", of: ({ invalidations }) => invalidations },
];

/** How a comparison writes each unit: what its numbers are divided by, and what follows a title. */
const WRITTEN = {
  count: { by: 1, suffix: "" },
  bytes: { by: 2 ** 20, suffix: ", MiB" },
  ps: { by: 1e9, suffix: ", ms" },
} as const;

/** A figure by which runs are compared; one that a run does not have is 0. */
export interface ComparedFigure {
  name: string;
  unit: Figure["unit"];
  of: (report: SimulationReport) => number;
}

/** The figures by which runs are compared. */
export const COMPARED: readonly ComparedFigure[] = FIGURES.filter(
  ({ key }) => key !== "deviceMemory" && key !== "bytesPeak",
).map(({ title, unit, of }) => ({
  name: `${title}${WRITTEN[unit].suffix}`,
  unit,
  of: (report) => of(report) ?? 0,
}));

/** Writes a figure of a comparison. */
export function shown(value: number, unit: Figure["unit"]): string {
  const scaled = value / WRITTEN[unit].by;
  return unit === "count" ? String(scaled).replace(/\B(?=(\d{3})+$)/g, ",") : scaled.toFixed(2);
}

/** A change against the first run, in percent. */
export function change(value: number, first: number): string {
  if (value === first) return "";
  if (first === 0) return "new";
  const percent = 100 * (value / first - 1);
  return `${percent < 0 ? "−" : "+"}${Math.abs(percent).toFixed(1)} %`;
}

/** What a cause takes of a run's critical path, in picoseconds. */
export function criticalOf({ timing }: SimulationReport, cause: TimeCause): number {
  return timing?.causes.find((one) => one.cause === cause)?.critical ?? 0;
}

/** The causes of all runs, those that take the most time first. */
export function causesOf(runs: readonly ComparedRun[]): TimeCause[] {
  const timeOf = (cause: TimeCause): number =>
    runs.reduce((sum, { report }) => sum + criticalOf(report, cause), 0);
  return CAUSE_NAMES.filter((cause) => timeOf(cause) > 0).sort((a, b) => timeOf(b) - timeOf(a));
}

/**
 * The color of the i-th cause in the order of their time; further ones share the last. Bars of one cause have
 * one color on the whole page.
 */
export function colorOf(i: number): { color: string; shared: boolean } {
  return { color: `var(${PALETTE[Math.min(i, PALETTE.length - 1)]})`, shared: i >= PALETTE.length };
}
