/** The figures of a report: those that tables show, and all of them by name. */
import type { Figure } from "../report/sweep-picture.ts";
import { CAUSES } from "../sim/time/causes.ts";
import type { SimulationReport } from "../sim.ts";

/** A figure of tables and pages, and where a report has it; null: it has none. */
interface ReportFigure extends Figure {
  of: (report: SimulationReport) => number | null;
}

/** The figures that a table shows. */
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

/** Returns the causes of time that any report has, as figures: what each takes of the critical path. */
export function causeFigures(reports: readonly SimulationReport[]): ReportFigure[] {
  const names = new Set(reports.flatMap(({ timing }) => timing?.causes.map(({ cause }) => cause) ?? []));
  return [...names].sort().map((cause) => ({
    key: `time.${cause}`,
    title: `time: ${CAUSES[cause].text}`,
    unit: "ps",
    of: ({ timing }) =>
      timing === null ? null : (timing.causes.find((one) => one.cause === cause)?.critical ?? 0),
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
