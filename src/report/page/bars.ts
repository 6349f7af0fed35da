/** Bars of the page: time by cause, and transfers by size. */
import { CAUSES } from "../../sim/time/causes.ts";
import type { TimingReport } from "../../sim.ts";
import type { SizesPicture } from "../picture.ts";
import { key, make, part } from "./dom.ts";
import { bytes, count, duration, percent } from "./words.ts";

/** A part of a bar. */
interface BarPart {
  share: number;
  color: string;
  hatched?: boolean;
}

/** A label, a bar whose parts are shares of the longest one, and a value. */
function barRow(label: string, parts: readonly BarPart[], value: string): HTMLElement[] {
  const pieces = parts.map(({ share, color, hatched }) =>
    make("i", {
      style: `width: ${(100 * share).toFixed(2)}%; background-color: var(${color})`,
      ...(hatched ? { class: "hatch" } : {}),
    }),
  );
  return [
    make("span", {}, label),
    make("span", { class: "bar", "aria-hidden": "true" }, ...pieces),
    make("span", { class: "value" }, value),
  ];
}

/** Colors of resources. */
const RESOURCE_COLORS = {
  cpu: "--ram",
  device: "--third",
  driver: "--fourth",
  toDevice: "--device",
  toHost: "--ram",
  peer: "--dim",
} as const;

/** Time by cause: what the run waits for, and what runs beside it. */
export function causeBars({ causes, total }: TimingReport): HTMLElement {
  const sorted = [...causes].sort((a, b) => b.critical - a.critical);
  const most = Math.max(1, ...sorted.map(({ busy, critical }) => Math.max(busy, critical)));
  const rows = sorted.flatMap(({ cause, busy, critical, resource }) => {
    const color = RESOURCE_COLORS[resource];
    const beside = Math.max(0, busy - critical);
    const parts = [
      { share: critical / most, color },
      { share: beside / most, color, hatched: true },
    ];
    return barRow(
      CAUSES[cause].text,
      parts,
      `${duration(critical)}  ${percent(critical / Math.max(1, total))}`,
    );
  });
  const about =
    "Solid: the run waits for it; these add up to the total. Hatched: it is busy beside other work.";
  return part("figure", "Time by cause", about, make("div", { class: "bars", id: "causes" }, ...rows));
}

/** The next power of two: sizes are grouped by it. */
function bucketOf(size: number): number {
  return 2 ** Math.ceil(Math.log2(size));
}

/** Transfers by size, each direction. */
export function sizeBars(sizes: readonly SizesPicture[]): HTMLElement {
  const counts = new Map<number, { toDevice: number; toHost: number; peer: number }>();
  for (const { direction, sizes: list } of sizes)
    for (const [size, times] of list) {
      const bucket = bucketOf(size);
      const one = counts.get(bucket) ?? { toDevice: 0, toHost: 0, peer: 0 };
      one[direction] += times;
      counts.set(bucket, one);
    }
  const sorted = [...counts].sort(([a], [b]) => a - b);
  const most = Math.max(1, ...sorted.map(([, { toDevice, toHost, peer }]) => toDevice + toHost + peer));
  const rows = sorted.flatMap(([bucket, { toDevice, toHost, peer }]) => {
    const parts = [
      { share: toDevice / most, color: "--device" },
      { share: toHost / most, color: "--ram" },
      { share: peer / most, color: "--dim" },
    ];
    return barRow(`≤ ${bytes(bucket)}`, parts, `${count(toDevice)} in, ${count(toHost)} out`);
  });
  const legend = make("div", { class: "tools" }, key("--device", "to the device"), key("--ram", "to RAM"));
  const content = rows.length === 0 ? [make("p", {}, "Nothing was transferred.")] : rows;
  const about = "How many transfers there were of each size. Large ones use the link better.";
  return part(
    "figure",
    "Transfer sizes",
    about,
    legend,
    make("div", { class: "bars", id: "sizes" }, ...content),
  );
}
