/** The page of a run: draws the picture that the page carries. */
import { CAUSES } from "../../sim/time/causes.ts";
import type { KernelReport, RangeReport } from "../../sim.ts";
import type { Picture } from "../picture.ts";
import { causeBars, sizeBars } from "./bars.ts";
import { chartsOf } from "./charts.ts";
import { make, part } from "./dom.ts";
import { HeatMap } from "./heat.ts";
import { lineChart } from "./lines.ts";
import { TimeRange } from "./range.ts";
import { table, type Column } from "./tables.ts";
import { themeButton } from "./theme.ts";
import { bytes, count, duration, moment, percent } from "./words.ts";

const picture = JSON.parse(document.getElementById("picture")!.textContent) as Picture;
const { report, axis } = picture;

/** A figure, and what it is. */
type Figure = [value: string, text: string];

/** The figures at the top. */
function numbers(): HTMLElement {
  const { timing, faults, device, managed, evictions } = report;
  const list: Figure[] = [
    ...(timing === null ? [] : ([[duration(timing.total), `time (${timing.model})`]] as Figure[])),
    [count(faults.device), "device faults"],
    ...(managed.groups === 0 ? [] : ([[count(managed.groups), "fault groups"]] as Figure[])),
    [count(faults.cpu), "CPU faults"],
    [bytes(device.bytesIn), "came to the device"],
    [bytes(device.bytesOut), "left it"],
    [count(evictions), "evictions"],
  ];
  return make(
    "ul",
    { class: "numbers" },
    ...list.map(([value, text]) => make("li", {}, make("b", {}, value), make("span", {}, text))),
  );
}

/** The line that says what limits the run. */
function limit(): HTMLElement[] {
  const { timing } = report;
  if (timing === null || timing.limit === null) return [];
  const { cause, saves } = timing.limit;
  const text =
    `Limited by the ${CAUSES[cause].text}: without it the run would take ` +
    `${duration(timing.total - saves)}, ` +
    `${percent(saves / timing.total)} less. This is its part of the critical path.`;
  return [make("p", { class: "limit", id: "limit" }, text)];
}

const timed = report.timing !== null;

function kernelTable(): HTMLElement[] {
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

function rangeTable(): HTMLElement[] {
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

function settings(): HTMLElement {
  const rows = picture.settings.map(([name, value]) =>
    make("tr", {}, make("td", {}, name), make("td", {}, value)),
  );
  const command = make("pre", { tabindex: "0" }, picture.command);
  const given = make(
    "div",
    { class: "scroll" },
    make("table", { id: "settings" }, make("tbody", {}, ...rows)),
  );
  return part("section", "The run", "This command gives the same page, byte for byte.", command, given);
}

/** A figure's sums as text, for those who do not see it. */
function draw(): void {
  const range = new TimeRange(Math.max(1, axis.end));
  const heat = new HeatMap(picture, range);
  const charts = chartsOf(picture).map((chart) => lineChart(chart, picture, range));
  const redraw = (): void => {
    heat.draw();
    for (const chart of charts) chart.draw();
  };
  const title = make("div", {}, make("h1", {}, picture.title), lead());
  document.body.append(
    make("header", {}, title, themeButton(redraw)),
    make(
      "main",
      {},
      ...limit(),
      numbers(),
      heat.element,
      make("div", { class: "pair" }, ...charts.map(({ element }) => element)),
      make(
        "div",
        { class: "pair" },
        ...(report.timing === null ? [] : [causeBars(report.timing)]),
        sizeBars(picture.sizes),
      ),
      ...kernelTable(),
      ...rangeTable(),
      settings(),
      make("footer", {}, "Made by heteromem. Nothing on this page comes from the network."),
    ),
  );
}

function lead(): HTMLElement {
  const { memoryModel, placement, prefetch, evict, memory } = report;
  const parts = [
    `${moment(axis.end, axis.unit)}`,
    `memory model ${memoryModel}`,
    `placement ${placement}`,
    `prefetch ${prefetch}`,
    `evict ${evict}`,
    `${bytes(memory.device)} of device memory`,
  ];
  return make("p", { class: "lead" }, parts.join(" · "));
}

draw();
