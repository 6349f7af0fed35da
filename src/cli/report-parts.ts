/** The tables of a report's text: devices, kernels, epochs and named ranges. */
import type { Counts, EpochReport, RangeFigures, SimulationReport } from "../sim.ts";
import { pagingColumns } from "../report/paging-columns.ts";
import { bytes, count, percent } from "./words.ts";

const LABEL = 24;
/** Blanks between columns. */
const GAP = 3;
/** Rows of a table of parts that the text shows; --json has all. */
const PARTS_MAX = 24;
const PART_COLUMNS = ["accesses", "device", "CPU faults", "device faults", "in", "out", "evictions"];

/** A table of some rows: as wide as its cells need. */
function partsTable(
  heading: string,
  rows: readonly (readonly [label: string, cells: readonly string[]])[],
  columns: readonly string[],
): string[] {
  if (rows.length === 0) return [];
  const shown = rows.slice(0, PARTS_MAX);
  const width = Math.max(LABEL, heading.length, ...shown.map(([label]) => label.length + 3));
  const widths = columns.map((title, i) =>
    Math.max(title.length, ...shown.map(([, cells]) => cells[i].length)),
  );
  const line = (label: string, cells: readonly string[]): string =>
    label.padEnd(width) + cells.map((cell, i) => cell.padStart(widths[i] + GAP)).join("");
  const more = rows.length - shown.length;
  return [
    line(heading, columns),
    ...shown.map(([label, cells]) => line(`  ${label}`, cells)),
    ...(more > 0 ? [`  and ${count(more)} more; --json has all`] : []),
  ];
}

/** All accesses of a part or a range, and the device's share. */
function accessCells({ cpu, device }: RangeFigures["accesses"]): string[] {
  const onDevice = device.loads + device.stores;
  const all = cpu.loads + cpu.stores + onDevice;
  return [count(all), percent(onDevice, all)];
}

/** The figures of a part, in the order of PART_COLUMNS. */
function partCells({ accesses, faults, device: traffic, evictions }: Counts): string[] {
  return [
    ...accessCells(accesses),
    count(faults.cpu),
    count(faults.device),
    bytes(traffic.bytesIn),
    bytes(traffic.bytesOut),
    count(evictions),
  ];
}

function epochLabel({ from, to, kernel }: EpochReport): string {
  return `${count(from)}–${count(to)}${kernel === null ? "" : ` ${kernel}`}`;
}

/** The devices by themselves, if there are several. */
function ofDevices({ devices }: SimulationReport): string[] {
  if (devices.length === 1) return [];
  const rows = devices.map((one) => {
    const { accesses, faults, bytesIn, bytesOut, evictions, invalidations, residency } = one;
    const moved = [bytes(bytesIn), bytes(bytesOut), count(evictions)];
    const made = [count(accesses.loads + accesses.stores), count(faults)];
    const cells = [...made, ...moved, count(invalidations), bytes(residency)];
    return [one.name, cells] as const;
  });
  const columns = ["accesses", "faults", "in", "out", "evictions", "invalidations", "at the end"];
  return partsTable("Devices", rows, columns);
}

/** The links between devices, from the side of each. */
function ofLinks({ devices }: SimulationReport): string[] {
  const rows = devices.flatMap((one) =>
    one.links.map(({ name, loads, stores, bytesLoaded, bytesStored, bytesIn }) => {
      const cells = [count(loads), count(stores), ...[bytesLoaded, bytesStored, bytesIn].map(bytes)];
      return [`${one.name} to ${name}`, cells] as const;
    }),
  );
  if (rows.length === 0) return [];
  return partsTable("Links", rows, ["loads", "stores", "loaded", "stored", "moved here"]);
}

/** The table of what moved for some parts, without the columns that are 0 for all of them. */
function ofPaging(
  heading: string,
  rows: readonly (readonly [label: string, part: Counts | RangeFigures])[],
): string[] {
  const columns = pagingColumns(rows.map(([, part]) => part));
  if (columns.length === 0) return [];
  const cells = rows.map(([label, part]) => {
    const shown = columns.map(({ of, bytes: isSize }) => (isSize ? bytes : count)(of(part)));
    return [label, shown] as const;
  });
  return partsTable(
    heading,
    cells,
    columns.map(({ title }) => title),
  );
}

/** Returns the tables of devices, kernels, epochs and ranges, of those that there are. */
export function parts(report: SimulationReport): string[][] {
  const { epochs, ranges, elsewhere } = report;
  const kernels = report.kernels.map((one) => [`${one.name} (${count(one.begins)})`, one] as const);
  const ofEpochs = epochs.map((one) => [epochLabel(one), one] as const);
  const cellsOf = (rows: readonly (readonly [string, Counts])[]): [string, string[]][] =>
    rows.map(([label, one]) => [label, partCells(one)]);
  const named = ranges.map((one) => [one.name, one] as const);
  const ofRanges = named.map(([name, one]) => [name, [bytes(one.bytes), ...rangeCells(one)]] as const);
  const all =
    elsewhere === null || isNothing(elsewhere) ? named : [...named, ["elsewhere", elsewhere] as const];
  const rest = all.slice(named.length).map(([name, one]) => [name, ["", ...rangeCells(one)]] as const);
  const rangeColumns = ["size", ...PART_COLUMNS.slice(0, -1), "evicted"];
  return [
    ofDevices(report),
    ofLinks(report),
    partsTable("Kernels (begun)", cellsOf(kernels), PART_COLUMNS),
    ofPaging("Kernels, what moved", kernels),
    partsTable("Epochs", cellsOf(ofEpochs), PART_COLUMNS),
    ofPaging("Epochs, what moved", ofEpochs),
    partsTable("Ranges", [...ofRanges, ...rest], rangeColumns),
    ofPaging("Ranges, what moved", all),
  ].filter((block) => block.length > 0);
}

/** The figures of a range after its size. */
function rangeCells({ accesses, faults, bytesIn, bytesOut, bytesOutEvicted }: RangeFigures): string[] {
  const moved = [bytesIn, bytesOut, bytesOutEvicted].map(bytes);
  return [...accessCells(accesses), count(faults.cpu), count(faults.device), ...moved];
}

/** Whether nothing has happened outside of named ranges. */
function isNothing({ accesses: { cpu, device }, faults, bytesIn }: RangeFigures): boolean {
  return cpu.loads + cpu.stores + device.loads + device.stores + faults.cpu + faults.device + bytesIn === 0;
}
