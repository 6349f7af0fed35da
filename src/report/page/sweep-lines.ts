/** Lines of a figure against an axis, with intervals over seeds, in small pictures side by side. */
import uPlot from "uplot";
import { PALETTE } from "../palette.ts";
import type { Summary } from "../statistics.ts";
import type { Figure, SweepPicture } from "../sweep-picture.ts";
import { color, key, make } from "./dom.ts";
import { axisStyle } from "./lines.ts";
import { firstAlike, linesOf, logTicks, positionsOf, type Choice, type SweepLine } from "./sweep-data.ts";
import { bytes, count, duration } from "./words.ts";

const HEIGHT = 240;
/** Small pictures that are shown at most. */
const FACETS = 12;
/** Labels below a picture, at most. */
const TICKS = 9;

/** How wide the intervals around means are. */
export type Interval = "mean" | "range";

/** How lines are drawn: whether equal distances are equal factors, and what their intervals are. */
export interface LineStyle {
  log: boolean;
  interval: Interval;
}

/** Returns what writes a figure. */
export function writerOf({ unit }: Figure): (value: number) => string {
  if (unit === "bytes") return bytes;
  return unit === "ps"
    ? duration
    : (value) => (value < 10 && value % 1 !== 0 ? value.toFixed(2) : count(value));
}

/** Distances of ticks: powers of two of bytes; of other figures, decimal ones. */
export function stepsOf({ unit }: Figure): { incrs?: number[] } {
  return unit === "bytes" ? { incrs: Array.from({ length: 50 }, (_, i) => 2 ** i) } : {};
}

/**
 * What is drawn of lines: the least and the most of each one's interval, then the mean of each. `bottom`: the
 * least of the scale; what is below it has no place on a logarithmic one.
 */
function dataOf({ lines, style, bottom }: Drawn): (number | null)[][] {
  const placed = (value: number): number | null => (style.log && value < bottom ? null : value);
  const of = (points: SweepLine["points"], value: (point: Summary) => number): (number | null)[] =>
    points.map((point) => point && placed(value(point)));
  const mean = style.interval === "mean";
  return [
    ...lines.flatMap(({ points }) => [
      of(points, (point) => Math.max(bottom, mean ? point.mean - point.half : point.least)),
      of(points, (point) => (mean ? point.mean + point.half : point.most)),
    ]),
    ...lines.map(({ points }) => of(points, (point) => point.mean)),
  ];
}

/** Every n-th of the positions, so that labels do not overlap. */
function ticksOf(at: readonly number[], room: number): number[] {
  const step = Math.ceil(at.length / Math.min(TICKS, Math.max(2, room)));
  return at.filter((_, i) => i % step === 0);
}

interface Drawn {
  picture: SweepPicture;
  choice: Choice;
  lines: readonly SweepLine[];
  style: LineStyle;
  /** The ends of the scale, which all small pictures share. */
  bottom: number;
  top: number;
}

/** The scale of figures. */
function scaleOf({ style, bottom, top }: Drawn): uPlot.Scale {
  if (style.log) return { distr: 3, range: () => [bottom / 1.1, top * 1.1] };
  return { range: () => [0, top * 1.05 || 1] };
}

/** Where the scale of figures has its ticks. */
function ticksUp({
  picture,
  choice,
  style,
  bottom,
  top,
}: Drawn): Pick<uPlot.Axis, "incrs" | "splits" | "filter"> {
  const figure = picture.figures[choice.figure];
  if (!style.log) return stepsOf(figure);
  const ticks = logTicks(bottom, top, figure.unit === "bytes");
  return { splits: () => ticks, filter: () => ticks };
}

/** Dashes of a line that covers `n` others, which show through its gaps; none: a line without gaps. */
const dashesOver = (n: number): { dash?: number[] } => (n === 0 ? {} : { dash: [7, 7 * n] });

function optionsOf(drawn: Drawn, width: number): uPlot.Options {
  const { picture, choice, lines } = drawn;
  const { axes, figures } = picture;
  const values = choice.x < 0 ? [""] : axes[choice.x].values;
  const { at } = positionsOf(values);
  const shown = writerOf(figures[choice.figure]);
  const ticks = ticksOf(at, Math.floor(width / 70));
  const axis = axisStyle();
  const edge = (at[at.length - 1] - at[0]) * 0.03 || 0.5;
  // Bands come first, so that none covers a line.
  const hidden = { stroke: "transparent", points: { show: false }, spanGaps: true };
  const bands = lines.flatMap(() => [hidden, hidden]);
  const alike = firstAlike(lines);
  const means = lines.map((_, i) => {
    // Colors in turn; from the second turn on with dashes.
    const stroke = color(PALETTE[i % PALETTE.length]);
    const covered = alike.slice(0, i).filter((first) => first === alike[i]).length;
    const dash = covered === 0 && i >= PALETTE.length ? { dash: [5, 3] } : dashesOver(covered);
    return { stroke, width: 2, points: { size: 5, fill: stroke }, spanGaps: true, ...dash };
  });
  return {
    width,
    height: HEIGHT,
    scales: {
      x: { time: false, range: () => [at[0] - edge, at[at.length - 1] + edge] },
      y: scaleOf(drawn),
    },
    legend: { show: false },
    cursor: { drag: { x: false, y: false } },
    series: [{}, ...bands, ...means],
    bands: lines.map((_, i) => ({
      series: [2 * i + 2, 2 * i + 1],
      fill: `${color(PALETTE[i % PALETTE.length])}2e`,
    })),
    axes: [
      {
        ...axis,
        size: 34,
        splits: () => ticks,
        values: (_, splits) => splits.map((tick) => values[at.indexOf(tick)]),
      },
      { ...axis, ...ticksUp(drawn), values: (_, splits) => splits.map(shown), size: 76 },
    ],
  };
}

/** Says which lines lie on each other; "": none do. */
function coincidences({ picture, choice, lines }: Drawn): string {
  if (choice.group < 0) return "";
  const { values } = picture.axes[choice.group];
  const alike = firstAlike(lines);
  const sets = lines.map((_, first) => lines.filter((_, i) => alike[i] === first));
  return sets
    .filter((set) => set.length > 1)
    .map((set) => `${set.map(({ group }) => values[group]).join(", ")} coincide`)
    .join(" · ");
}

/** Says in words what a picture shows at the mouse, or over all. */
function readout(drawn: Drawn, index: number | null | undefined): string {
  const { picture, choice, lines } = drawn;
  if (index == null || choice.x < 0) return coincidences(drawn);
  const shown = writerOf(picture.figures[choice.figure]);
  const parts = lines.flatMap(({ group, points }) => {
    const point = points[index];
    const name = group < 0 ? "" : `${picture.axes[choice.group].values[group]} `;
    return point === null ? [] : [`${name}${shown(point.mean)}${point.n > 1 ? ` (n=${point.n})` : ""}`];
  });
  return `${picture.axes[choice.x].values[index]}: ${parts.join(" · ")}`;
}

function smallPicture(drawn: Drawn, title: string): HTMLElement {
  const holder = make("div", { role: "img", "aria-label": `${title}: a line for each group` });
  const line = make("p", { class: "readout" }, coincidences(drawn));
  const element = make(
    "div",
    { class: "facet" },
    ...(title === "" ? [] : [make("h3", {}, title)]),
    holder,
    line,
  );
  let plot: uPlot | null = null;
  new ResizeObserver(() => {
    const width = Math.max(220, holder.clientWidth);
    if (plot !== null) return plot.setSize({ width, height: HEIGHT });
    const { at } = positionsOf(drawn.choice.x < 0 ? [""] : drawn.picture.axes[drawn.choice.x].values);
    const order = [...at.keys()].sort((a, b) => at[a] - at[b]);
    const sorted = <T>(list: readonly T[]): T[] => order.map((i) => list[i]);
    const data = dataOf(drawn).map(sorted);
    const hooks = {
      setCursor: [
        (one: uPlot) =>
          (line.textContent = readout(drawn, one.cursor.idx == null ? null : order[one.cursor.idx])),
      ],
    };
    plot = new uPlot({ ...optionsOf(drawn, width), hooks }, [sorted(at), ...data], holder);
  }).observe(holder);
  return element;
}

/** Returns the pictures of a choice, and what their colors mean. */
export function facets(picture: SweepPicture, choice: Choice, style: LineStyle): HTMLElement[] {
  const { axes, figures } = picture;
  const all = choice.facet < 0 ? [-1] : axes[choice.facet].values.map((_, i) => i);
  const shown = all.slice(0, FACETS);
  const lines = shown.map((facet) => linesOf(picture, choice, facet));
  const points = lines.flatMap((all) => all.flatMap((line) => line.points)).filter((point) => point !== null);
  const top = Math.max(0, ...points.map(({ most, mean, half }) => Math.max(most, mean + half)));
  const least = Math.min(...points.map((point) => point.least).filter((value) => value > 0));
  // Without anything above zero a logarithmic scale has nothing to show.
  const log = style.log && Number.isFinite(least);
  const scale = { style: { ...style, log }, bottom: log ? least : 0, top };
  const legend = (lines[0] ?? [])
    .filter(({ group }) => group >= 0)
    .map(({ group }, i) =>
      key(PALETTE[i % PALETTE.length], axes[choice.group].values[group], i >= PALETTE.length),
    );
  const pictures = shown.map((facet, i) => {
    const title = facet < 0 ? "" : `${axes[choice.facet].name} = ${axes[choice.facet].values[facet]}`;
    return smallPicture({ picture, choice, lines: lines[i], ...scale }, title);
  });
  const across = choice.x < 0 ? "" : ` against ${axes[choice.x].name}`;
  const more = all.length > FACETS ? `, the first ${FACETS} of ${all.length}` : "";
  return [
    make(
      "div",
      { class: "tools" },
      make("b", {}, `${figures[choice.figure].title}${across}${more}`),
      ...legend,
    ),
    make("div", { class: `facets${pictures.length > 1 ? " many" : ""}` }, ...pictures),
  ];
}
