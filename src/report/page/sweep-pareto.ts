/** Two figures of all points of a sweep against each other, and the points that no other one beats. */
import uPlot from "uplot";
import { PALETTE } from "../palette.ts";
import { paretoFront } from "../statistics.ts";
import type { Figure, SweepPicture } from "../sweep-picture.ts";
import { color, key, make } from "./dom.ts";
import { axisStyle } from "./lines.ts";
import { meansOf, type MeanPoint } from "./sweep-data.ts";
import { stepsOf, writerOf } from "./sweep-lines.ts";

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

/** What is drawn: the first figure of all points; the second of those on the front, and of each group. */
function dataOf(
  points: readonly MeanPoint[],
  { x, y, group }: ParetoChoice,
  groups: readonly number[],
  front: ReadonlySet<string>,
): uPlot.AlignedData {
  const valueIf = (wanted: (point: MeanPoint) => boolean): (number | null)[] =>
    points.map((point) => (wanted(point) ? point.values[y] : null));
  return [
    points.map(({ values }) => values[x]!),
    valueIf(({ row }) => front.has(row.id)),
    ...groups.map((one) => valueIf(({ row }) => one < 0 || row.at[group] === one)),
  ] as uPlot.AlignedData;
}

/** Leaves room at both sides, so that points do not lie on the axis. */
const padded = (_: unknown, least: number, most: number): [number, number] => {
  const room = (most - least || Math.abs(most) || 1) * 0.03;
  return [least - room, most + room];
};

function optionsOf(
  { figures }: SweepPicture,
  choice: ParetoChoice,
  groups: readonly number[],
  say: (plot: uPlot) => void,
): Omit<uPlot.Options, "width"> {
  const [x, y] = [figures[choice.x], figures[choice.y]];
  const ticks = (figure: Figure): uPlot.Axis => ({
    ...axisStyle(),
    ...stepsOf(figure),
    values: (_, splits) => splits.map(writerOf(figure)),
  });
  const ring = { show: true, size: 13, width: 1.5, fill: "transparent" };
  const series = groups.map((_, i) => {
    const stroke = color(PALETTE[i % PALETTE.length]);
    const fill = i < PALETTE.length ? stroke : "transparent";
    return { paths: () => null, stroke, points: { show: true, size: 7, fill } };
  });
  return {
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false } },
    scales: { x: { time: false, range: padded }, y: { range: (_, __, most) => [0, most * 1.05 || 1] } },
    series: [
      {},
      {
        stroke: color("--text"),
        width: 1.5,
        dash: [4, 3],
        spanGaps: true,
        paths: uPlot.paths.stepped!({ align: 1 }),
        points: ring,
      },
      ...series,
    ],
    axes: [
      { ...ticks(x), space: 80, size: 34 },
      { ...ticks(y), size: 76 },
    ],
    hooks: { setCursor: [say] },
  };
}

/** Returns the picture of a choice. */
export function pareto(picture: SweepPicture, choice: ParetoChoice): HTMLElement {
  const { axes, figures } = picture;
  const points = pointsOf(picture, choice);
  const front = new Set(frontOf(picture, choice).map(({ row }) => row.id));
  const groups = choice.group < 0 ? [-1] : axes[choice.group].values.map((_, i) => i);
  const [shownX, shownY] = [writerOf(figures[choice.x]), writerOf(figures[choice.y])];
  const line = make("p", { class: "readout" });
  const titles = `${figures[choice.y].title} against ${figures[choice.x].title}`;
  const alternative = `${titles}: ${front.size} of ${points.length} points are on the front`;
  const holder = make("div", { id: "pareto", role: "img", "aria-label": alternative });
  const words = ({ row, values }: MeanPoint): string =>
    `${pointText(picture, row.at)}: ${shownX(values[choice.x]!)}, ${shownY(values[choice.y]!)}`;
  const say = (plot: uPlot): void => {
    const point = plot.cursor.idx == null ? undefined : points[plot.cursor.idx];
    line.textContent = point === undefined ? "" : words(point);
  };
  const options = optionsOf(picture, choice, groups, say);
  let plot: uPlot | null = null;
  new ResizeObserver(() => {
    const width = Math.max(240, holder.clientWidth);
    if (plot !== null) plot.setSize({ width, height: HEIGHT });
    else plot = new uPlot({ ...options, width }, dataOf(points, choice, groups, front), holder);
  }).observe(holder);
  const legend = groups
    .filter((group) => group >= 0)
    .map((group, i) =>
      key(PALETTE[i % PALETTE.length], axes[choice.group].values[group], i >= PALETTE.length),
    );
  return make("div", {}, make("div", { class: "tools" }, ...legend), holder, line);
}
