/** The tables of a run. */
import type { KernelReport, RangeReport } from "../../sim.ts";
import type { Picture } from "../picture.ts";
import { make, part } from "./dom.ts";
import { table, type Column } from "./tables.ts";
import { bytes, count, duration } from "./words.ts";

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
  ];
  if (report.kernels.length === 0) return [];
  return [table("Kernels", "What happened while each one ran. A heading sorts.", columns, report.kernels)];
}

function rangeTable({ report }: Picture): HTMLElement[] {
  const accesses = ({ accesses: { cpu, device } }: RangeReport): number =>
    cpu.loads + cpu.stores + device.loads + device.stores;
  const columns: Column<RangeReport>[] = [
    { title: "range", value: ({ name }) => name },
    { title: "size", value: (range) => range.bytes, shown: bytes },
    { title: "accesses", value: accesses, shown: count },
    { title: "device faults", value: ({ faults }) => faults.device, shown: count },
    { title: "CPU faults", value: ({ faults }) => faults.cpu, shown: count },
    { title: "in", value: ({ bytesIn }) => bytesIn, shown: bytes },
    { title: "out", value: ({ bytesOut }) => bytesOut, shown: bytes },
    { title: "evicted", value: ({ bytesOutEvicted }) => bytesOutEvicted, shown: bytes },
  ];
  if (report.ranges.length === 0) return [];
  return [
    table("Ranges", "What happened to each named range of data. A heading sorts.", columns, report.ranges),
  ];
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
