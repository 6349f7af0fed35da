/** The figures by which runs are compared, and how each is written. */
import { CAUSE_NAMES, type TimeCause } from "../sim/time/causes.ts";
import type { SimulationReport } from "../sim.ts";

/** A run, by its file. */
export interface ComparedRun {
  name: string;
  report: SimulationReport;
}

/** Figures that are compared, and how each is written. */
export const FIGURES: readonly [string, (report: SimulationReport) => number, "count" | "MiB" | "ms"][] = [
  ["time, ms", ({ timing }) => timing?.total ?? 0, "ms"],
  ["device faults", ({ faults }) => faults.device, "count"],
  ["fault groups", ({ managed }) => managed.groups, "count"],
  ["CPU faults", ({ faults }) => faults.cpu, "count"],
  ["to the device, MiB", ({ device }) => device.bytesIn, "MiB"],
  ["of that again, MiB", ({ device }) => device.bytesInAgain, "MiB"],
  ["left the device, MiB", ({ device }) => device.bytesOut, "MiB"],
  ["evictions", ({ evictions }) => evictions, "count"],
  ["device accesses to RAM", ({ accesses: { device } }) => device.ram.loads + device.ram.stores, "count"],
  ["invalidations", ({ invalidations }) => invalidations, "count"],
];
const DIVISORS = { count: 1, MiB: 2 ** 20, ms: 1e9 } as const;

/** Writes a figure. */
export function shown(value: number, unit: keyof typeof DIVISORS): string {
  const scaled = value / DIVISORS[unit];
  return unit === "count" ? String(scaled).replace(/\B(?=(\d{3})+$)/g, ",") : scaled.toFixed(2);
}

/** A change against the first run, in percent. */
export function change(value: number, first: number): string {
  if (value === first) return "";
  if (first === 0) return "new";
  const percent = 100 * (value / first - 1);
  return `${percent < 0 ? "−" : "+"}${Math.abs(percent).toFixed(1)} %`;
}

/** The causes of all runs, those that take the most time first. */
export function causesOf(runs: readonly ComparedRun[]): TimeCause[] {
  const timeOf = (cause: string): number =>
    runs.reduce((sum, { report: { timing } }) => {
      return sum + (timing?.causes.find((one) => one.cause === cause)?.critical ?? 0);
    }, 0);
  return CAUSE_NAMES.filter((cause) => timeOf(cause) > 0).sort((a, b) => timeOf(b) - timeOf(a));
}
