/** Two figures of all points of a sweep against each other, and the points that no other one beats. */
import uPlot from "uplot";
import { paretoFront } from "../statistics.ts";
import type { SweepPicture } from "../sweep-picture.ts";
import { color, key, make } from "./dom.ts";
import { meansOf, type MeanPoint } from "./sweep-data.ts";
import { COLORS, stepsOf, writerOf } from "./sweep-lines.ts";

const HEIGHT = 320;

/** Which figures, and the axis whose values have colors (-1: none). */
export interface ParetoChoice {
  x: number;
  y: number;
  group: number;
}

/** The point of a sweep in words. */
export function pointText({ axes, replica }: SweepPicture, at: readonly number[]): string {
  const parts = axes.flatMap(({ name, values }, i) =>
    i === replica || at[i] < 0 || values.length < 2 ? [] : [`${name} ${values[at[i]]}`],
  );
  return parts.join(", ");
}

/** Points that have both figures. */
function pointsOf(picture: SweepPicture, { x, y }: ParetoChoice): MeanPoint[] {
  return meansOf(picture)
    .filter(({ values }) => values[x] !== null && values[y] !== null)
    .sort((a, b) => a.values[x]! - b.values[x]!);
}

/** Returns the front of a choice, in the order of its first figure. */
export function frontOf(picture: SweepPicture, choice: ParetoChoice): MeanPoint[] {
  return paretoFront(pointsOf(picture, choice), ({ values }) => [values[choice.x]!, values[choice.y]!]);
}

/** Returns the picture of a choice. */
export function pareto(picture: SweepPicture, choice: ParetoChoice): HTMLElement {
  const { axes, figures } = picture;
  const points = pointsOf(picture, choice);
  const front = new Set(frontOf(picture, choice).map(({ row }) => row.id));
  const groups = choice.group < 0 ? [-1] : axes[choice.group].values.map((_, i) => i);
  const [shownX, shownY] = [writerOf(figures[choice.x]), writerOf(figures[choice.y])];
  const valueIf = (wanted: (point: MeanPoint) => boolean): (number | null)[] =>
    points.map((point) => (wanted(point) ? point.values[choice.y] : null));
  const data = [
    points.map(({ values }) => values[choice.x]!),
    valueIf((point) => front.has(point.row.id)),
    ...groups.map((group) => valueIf(({ row }) => group < 0 || row.at[choice.group] === group)),
  ] as uPlot.AlignedData;
  const line = make("p", { class: "readout" });
  const titles = `${figures[choice.y].title} against ${figures[choice.x].title}`;
  const alternative = `${titles}: ${front.size} of ${points.length} points are on the front`;
  const holder = make("div", { id: "pareto", role: "img", "aria-label": alternative });
  const say = (plot: uPlot): void => {
    const point = plot.cursor.idx == null ? undefined : points[plot.cursor.idx];
    const words = (one: MeanPoint): string =>
      `${pointText(picture, one.row.at)}: ${shownX(one.values[choice.x]!)}, ${shownY(one.values[choice.y]!)}`;
    line.textContent = point === undefined ? "" : words(point);
  };
  const axis = {
    stroke: color("--dim"),
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
  };
  const series = groups.map((_, i) => {
    const stroke = color(COLORS[i % COLORS.length]);
    return {
      paths: () => null,
      stroke,
      points: { show: true, size: 7, fill: i < COLORS.length ? stroke : "transparent" },
    };
  });
  const options = (width: number): uPlot.Options => ({
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false } },
    scales: { x: { time: false }, y: { range: (_, __, most) => [0, most * 1.05 || 1] } },
    series: [
      {},
      {
        stroke: color("--text"),
        width: 1.5,
        dash: [4, 3],
        spanGaps: true,
        paths: uPlot.paths.stepped!({ align: 1 }),
        points: { show: true, size: 13, width: 1.5, fill: "transparent" },
      },
      ...series,
    ],
    axes: [
      {
        ...axis,
        ...stepsOf(figures[choice.x]),
        values: (_, splits) => splits.map(shownX),
        space: 80,
        size: 34,
      },
      { ...axis, ...stepsOf(figures[choice.y]), values: (_, splits) => splits.map(shownY), size: 76 },
    ],
    hooks: { setCursor: [say] },
  });
  let plot: uPlot | null = null;
  new ResizeObserver(() => {
    const width = Math.max(240, holder.clientWidth);
    if (plot === null) plot = new uPlot(options(width), data, holder);
    else plot.setSize({ width, height: HEIGHT });
  }).observe(holder);
  const legend = groups
    .filter((group) => group >= 0)
    .map((group, i) => key(COLORS[i % COLORS.length], axes[choice.group].values[group], i >= COLORS.length));
  return make("div", {}, make("div", { class: "tools" }, ...legend), holder, line);
}
