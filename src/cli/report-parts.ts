/** The tables of a report's text: devices, kernels, epochs and named ranges. */
import type { Counts, EpochReport, RangeReport, SimulationReport } from "../sim.ts";
import { bytes, count, percent } from "./words.ts";

const LABEL = 24;
const VALUE = 14;
/** Rows of a table of parts that the text shows; --json has all. */
const PARTS_MAX = 24;
const PART_COLUMNS = ["accesses", "device", "CPU faults", "device faults", "in", "out", "evictions"];

function partsTable(
  heading: string,
  rows: readonly (readonly [label: string, cells: string[]])[],
  columns: readonly string[],
): string[] {
  if (rows.length === 0) return [];
  const shown = rows.slice(0, PARTS_MAX);
  const width = Math.max(LABEL, ...shown.map(([label]) => label.length + 3));
  const line = (label: string, cells: readonly string[]): string =>
    label.padEnd(width) + cells.map((cell) => cell.padStart(VALUE)).join("");
  const more = rows.length - shown.length;
  return [
    line(heading, columns),
    ...shown.map(([label, cells]) => line(`  ${label}`, cells)),
    ...(more > 0 ? [`  and ${count(more)} more; --json has all`] : []),
  ];
}

/** All accesses of a part or a range, and the device's share. */
function accessCells({ cpu, device }: RangeReport["accesses"]): string[] {
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

/** Returns the tables of devices, kernels, epochs and ranges, of those that there are. */
export function parts(report: SimulationReport): string[][] {
  const { epochs, kernels, ranges } = report;
  const ofKernels = kernels.map((one) => [`${one.name} (${count(one.begins)})`, partCells(one)] as const);
  const ofEpochs = epochs.map((one) => [epochLabel(one), partCells(one)] as const);
  const ofRanges = ranges.map((one) => {
    const { faults, bytesIn, bytesOut, bytesOutEvicted } = one;
    const moved = [bytesIn, bytesOut, bytesOutEvicted].map(bytes);
    const faulted = [count(faults.cpu), count(faults.device)];
    const cells = [bytes(one.bytes), ...accessCells(one.accesses), ...faulted, ...moved];
    return [one.name, cells] as const;
  });
  const rangeColumns = ["size", ...PART_COLUMNS.slice(0, -1), "evicted"];
  return [
    ofDevices(report),
    ofLinks(report),
    partsTable("Kernels (begun)", ofKernels, PART_COLUMNS),
    partsTable("Epochs", ofEpochs, PART_COLUMNS),
    partsTable("Ranges", ofRanges, rangeColumns),
  ].filter((block) => block.length > 0);
}
