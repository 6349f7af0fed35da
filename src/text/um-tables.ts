/**
 * Reads what NVIDIA's profilers print about unified memory: what a real GPU did, to compare a simulation
 * with. nvprof prints one table for each device; `nsys stats` prints several, as columns or as CSV, of which
 * those that name unified memory are read.
 */
import { LogError } from "./uvm-log.ts";

/** Transfers in one direction. */
export interface Transfers {
  count: number;
  bytes: number;
  /** Nanoseconds; null if the table does not say. */
  time: number | null;
}

/** What a profiler counted. What its tables do not say is null. */
export interface UnifiedMemory {
  /** The device's name in nvprof's table; null in those of nsys, and where several devices are added up. */
  device: string | null;
  hostToDevice: Transfers | null;
  deviceToHost: Transfers | null;
  deviceToDevice: Transfers | null;
  /** Groups of faults of the device that were served together, and their time in nanoseconds (nvprof). */
  faultGroups: { count: number; time: number } | null;
  /** Faults of the device (nsys). */
  deviceFaults: number | null;
  cpuFaults: number | null;
}

type Direction = "hostToDevice" | "deviceToHost" | "deviceToDevice";

function nothing(device: string | null): UnifiedMemory {
  const none = { hostToDevice: null, deviceToHost: null, deviceToDevice: null, faultGroups: null };
  return { device, ...none, deviceFaults: null, cpuFaults: null };
}

/** nvprof's units: its KB are 1,024 bytes. */
const BYTES: Record<string, number> = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40 };
const NANOSECONDS: Record<string, number> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

/** A number with one of these units. */
function parseUnit(line: number, text: string, units: Record<string, number>): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)([A-Za-z]+)$/.exec(text) ?? [];
  if (unit === undefined || !(unit in units))
    throw new LogError(line, `expected a number with ${Object.keys(units).join(", ")}, found '${text}'`);
  return Math.round(Number(digits) * units[unit]);
}

const NVPROF_NAMES: Record<string, Direction> = {
  "Host To Device": "hostToDevice",
  "Device To Host": "deviceToHost",
  "Device To Device": "deviceToDevice",
};

/** Reads nvprof's tables. Throws LogError for a row whose figures cannot be read. */
function readNvprof(lines: readonly string[]): UnifiedMemory[] {
  const found: UnifiedMemory[] = [];
  const current = (): UnifiedMemory => {
    if (found.length === 0) found.push(nothing(null));
    return found[found.length - 1];
  };
  let inside = false;
  lines.forEach((line, index) => {
    if (/^(?:==\d+== )?Unified Memory profiling result:/.test(line)) inside = true;
    if (!inside) return;
    const device = /^Device "(.*)"/.exec(line);
    if (device !== null) found.push(nothing(device[1]));
    const cpu = /^Total CPU Page faults: (\d+)/.exec(line);
    // The CPU's faults are those of the whole program, and stand after all devices.
    if (cpu !== null)
      for (const one of found.length === 0 ? [current()] : found) one.cpuFaults = Number(cpu[1]);
    const row = /^ *(\d+) +(\S+) +\S+ +\S+ +(\S+) +(\S+) +(\S.*?) *$/.exec(line);
    if (row === null) return;
    const [, digits, , total, time, name] = row;
    const count = Number(digits);
    const duration = parseUnit(index + 1, time, NANOSECONDS);
    if (/^Gpu page fault groups$/i.test(name)) current().faultGroups = { count, time: duration };
    else if (name in NVPROF_NAMES)
      current()[NVPROF_NAMES[name]] = { count, bytes: parseUnit(index + 1, total, BYTES), time: duration };
  });
  return found;
}

/** A table of `nsys stats`: the names of its columns, and its rows with their lines. */
interface Table {
  columns: string[];
  rows: { line: number; cells: string[] }[];
}

/** The cells of a line of CSV. */
function csvCells(line: string): string[] {
  return [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)]
    .slice(0, -1)
    .map(([, cell]) => (cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell).trim());
}

/** The tables that are in columns, under a line of dashes which says where these are, or in CSV. */
function findTables(lines: readonly string[]): Table[] {
  const tables: Table[] = [];
  for (let i = 0; i < lines.length; i++) {
    const dashes = lines[i + 1] ?? "";
    const ruled = /^ *-+(?: +-+)+ *$/.test(dashes);
    if (!ruled && !/^[^,]*\((?:%|ns|MB)\)[^,]*,/.test(lines[i])) continue;
    const bounds = [...dashes.matchAll(/-+/g)].map(({ index, 0: run }) => [index, index + run.length]);
    // The last column is as wide as its cells are.
    const cut = (line: string): string[] =>
      bounds.map(([from, to], n) => line.slice(from, n === bounds.length - 1 ? undefined : to).trim());
    const cells = ruled ? cut : csvCells;
    const table: Table = { columns: cells(lines[i]), rows: [] };
    let at = i + (ruled ? 2 : 1);
    for (; at < lines.length && lines[at].trim() !== ""; at++)
      table.rows.push({ line: at + 1, cells: cells(lines[at]) });
    tables.push(table);
    i = at;
  }
  return tables;
}

/** nsys's MB are a million bytes. */
const NSYS_MB = 1e6;

const NSYS_NAMES: readonly [name: RegExp, direction: Direction][] = [
  [/unified memory.*(?:HtoD|Host-to-Device)/i, "hostToDevice"],
  [/unified memory.*(?:DtoH|Device-to-Host)/i, "deviceToHost"],
  [/unified memory.*(?:DtoD|Device-to-Device)/i, "deviceToDevice"],
];

/** Reads the tables of `nsys stats`. */
function readNsys(lines: readonly string[]): UnifiedMemory[] {
  const result = nothing(null);
  let found = false;
  const transfers = (direction: Direction): Transfers => {
    found = true;
    return (result[direction] ??= { count: 0, bytes: 0, time: null });
  };
  for (const { columns, rows } of findTables(lines)) {
    const number = (name: RegExp, { line, cells }: Table["rows"][number]): number | null => {
      const at = columns.findIndex((column) => name.test(column));
      if (at < 0) return null;
      const text = cells[at]?.replaceAll(",", "") ?? "";
      if (!/^\d+(?:\.\d+)?$/.test(text))
        throw new LogError(line, `expected a number under '${columns[at]}', found '${cells[at] ?? ""}'`);
      return Number(text);
    };
    for (const row of rows) {
      const operation = row.cells[columns.indexOf("Operation")] ?? "";
      const [, direction] = NSYS_NAMES.find(([name]) => name.test(operation)) ?? [];
      if (direction !== undefined) {
        const one = transfers(direction);
        const bytes = number(/^Total \(MB\)$/, row);
        const time = number(/^Total Time \(ns\)$/, row);
        one.count = number(/^Count$/, row) ?? one.count;
        if (bytes !== null) one.bytes = Math.round(bytes * NSYS_MB);
        if (time !== null) one.time = time;
      }
      const cpu = number(/^Total CPU Page Faults$/i, row);
      const gpu = number(/^Total GPU Page ?Faults$/i, row);
      if (cpu === null && gpu === null) continue;
      found = true;
      result.cpuFaults = cpu;
      result.deviceFaults = gpu;
    }
  }
  return found ? [result] : [];
}

/**
 * Reads what nvprof or `nsys stats` (reports um_total_sum, cuda_gpu_mem_time_sum and cuda_gpu_mem_size_sum,
 * as columns or as CSV) printed. Returns one object for each device of nvprof, or one for nsys; none if the
 * text has nothing about unified memory. Throws LogError for a figure that cannot be read.
 */
export function readUnifiedMemory(text: string): UnifiedMemory[] {
  const lines = text.split("\n").map((line) => line.replace(/\r$/, ""));
  const nvprof = readNvprof(lines);
  return nvprof.length > 0 ? nvprof : readNsys(lines);
}
