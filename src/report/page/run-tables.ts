/** The tables of a run. */
import type { KernelReport, RangeFigures } from "../../sim.ts";
import { pagingColumns } from "../paging-columns.ts";
import type { Picture } from "../picture.ts";
import { make, part } from "./dom.ts";
import { table, type Column } from "./tables.ts";
import { bytes, count, duration } from "./words.ts";

/** Columns of what moved, but for those that are 0 in all rows. */
function moved<T extends KernelReport | RangeFigures>(rows: readonly T[]): Column<T>[] {
  return pagingColumns(rows).map(({ title, of, bytes: isSize }) => ({
    title,
    value: of,
    shown: isSize ? bytes : count,
  }));
}

/** A named range, or what lies outside of all. */
type RangeRow = RangeFigures & { name: string; bytes: number };

function kernelTable({ report }: Picture): HTMLElement[] {
  const timed = report.timing !== null;
  const columns: Column<KernelReport>[] = [
    { title: "kernel", value: ({ name }) => name },
    { title: "begun", value: ({ begins }) => begins, shown: count },
    ...(timed ? [{ title: "time", value: ({ elapsed }: KernelReport) => elapsed, shown: duration }] : []),
    { title: "device faults", value: ({ faults }) => faults.device, shown: count },
    { title: "CPU faults", value: ({ faults }) => faults.cpu, shown: count },
    { title: "in", value: ({ device }) => device.bytesIn, shown: bytes },
    { title: "again", value: ({ device }) => device.bytesInAgain, shown: bytes },
    { title: "out", value: ({ device }) => device.bytesOut, shown: bytes },
    { title: "evictions", value: ({ evictions }) => evictions, shown: count },
    ...moved(report.kernels),
  ];
  if (report.kernels.length === 0) return [];
  return [table("Kernels", "What happened while each one ran. A heading sorts.", columns, report.kernels)];
}

function rangeTable({ report }: Picture): HTMLElement[] {
  const accesses = ({ accesses: { cpu, device } }: RangeFigures): number =>
    cpu.loads + cpu.stores + device.loads + device.stores;
  const { ranges, elsewhere } = report;
  const rows: RangeRow[] = [...ranges];
  if (elsewhere !== null && accesses(elsewhere) > 0) rows.push({ ...elsewhere, name: "elsewhere", bytes: 0 });
  const columns: Column<RangeRow>[] = [
    { title: "range", value: ({ name }) => name },
    { title: "size", value: (range) => range.bytes, shown: bytes },
    { title: "accesses", value: accesses, shown: count },
    { title: "device faults", value: ({ faults }) => faults.device, shown: count },
    { title: "CPU faults", value: ({ faults }) => faults.cpu, shown: count },
    { title: "in", value: ({ bytesIn }) => bytesIn, shown: bytes },
    { title: "out", value: ({ bytesOut }) => bytesOut, shown: bytes },
    { title: "evicted", value: ({ bytesOutEvicted }) => bytesOutEvicted, shown: bytes },
    ...moved(rows),
  ];
  if (ranges.length === 0) return [];
  return [table("Ranges", "What happened to each named range of data. A heading sorts.", columns, rows)];
}

/** The tables of kernels and of named ranges, where there are any. */
export function tablesOf(picture: Picture): HTMLElement[] {
  return [...kernelTable(picture), ...rangeTable(picture)];
}

/** The command that gives the same page, and the settings of the run. */
export function settings({ settings: given, command }: Picture): HTMLElement {
  const rows = given.map(([name, value]) =>
    make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value)),
  );
  const all = make("div", { class: "scroll" }, make("table", { id: "settings" }, make("tbody", {}, ...rows)));
  const text = make("pre", { tabindex: "0" }, command);
  return part("section", "The run", "This command gives the same page, byte for byte.", text, all);
}
