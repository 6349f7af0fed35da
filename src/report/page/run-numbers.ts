/** The figures of a run, and sentences about it. */
import { CAUSES } from "../../sim/time/causes.ts";
import type { Picture } from "../picture.ts";
import { make } from "./dom.ts";
import { bytes, count, duration, moment, percent } from "./words.ts";

/** A figure, and what it is. */
type Figure = [value: string, text: string];

/** The figures at the top. */
export function numbers({ report }: Picture): HTMLElement {
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
export function limit({ report: { timing } }: Picture): HTMLElement[] {
  if (timing === null || timing.limit === null) return [];
  const { cause, saves } = timing.limit;
  const text =
    `Limited by the ${CAUSES[cause].text}: without it the run would take ` +
    `${duration(timing.total - saves)}, ` +
    `${percent(saves / timing.total)} less. This is its part of the critical path.`;
  return [make("p", { class: "limit", id: "limit" }, text)];
}

/** What was simulated, in one line. */
export function lead({ report, axis }: Picture): string {
  const { memoryModel, placement, prefetch, evict, memory } = report;
  const parts = [
    `${moment(axis.end, axis.unit)}`,
    `memory model ${memoryModel}`,
    `placement ${placement}`,
    `prefetch ${prefetch}`,
    `evict ${evict}`,
    `${bytes(memory.device)} of device memory`,
  ];
  return parts.join(" · ");
}
