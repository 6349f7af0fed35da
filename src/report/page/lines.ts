/** Line charts over time, by uPlot. */
import uPlot from "uplot";
import type { Picture } from "../picture.ts";
import { color, make, part } from "./dom.ts";
import { inTurn } from "./in-turn.ts";
import type { TimeRange } from "./range.ts";
import { moment, tickOf } from "./words.ts";

const HEIGHT = 190;

/** A line: a value for each column. */
export interface Line {
  label: string;
  /** A property of the theme. */
  color: string;
  values: readonly number[];
  dash?: number[];
}

/** A chart. */
export interface LineChart {
  id: string;
  title: string;
  about: string;
  lines: readonly Line[];
  /** Whether columns are averages; else they are sums. */
  mean?: boolean;
  /** Writes a value. */
  shown: (value: number) => string;
  /** What the chart shows, in words. */
  alternative: string;
  /** Distances of ticks; default: decimal ones. */
  steps?: number[];
  /** What the axis shows at least. */
  least?: number;
}

/** How the axes of all charts look, in the colors of the theme. */
export function axisStyle(): Pick<uPlot.Axis, "stroke" | "grid" | "ticks"> {
  return {
    stroke: color("--dim"),
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
  };
}

function options(chart: LineChart, { axis }: Picture, range: TimeRange, width: number): uPlot.Options {
  const axes = axisStyle();
  return {
    width,
    height: HEIGHT,
    scales: {
      x: { time: false, range: () => [range.from, range.to] },
      y: { range: (_, _least, most) => [0, Math.max(most, chart.least ?? 1) * 1.05] },
    },
    cursor: { sync: { key: "time" }, drag: { x: true, y: false, setScale: false } },
    legend: { show: true },
    series: [
      {
        label: axis.unit === "ps" ? "time" : "accesses",
        value: (_, x) => (x == null ? "" : moment(x, axis.unit)),
      },
      ...chart.lines.map((line) => ({
        label: line.label,
        stroke: color(line.color),
        width: 1.5,
        fill: `${color(line.color)}22`,
        paths: uPlot.paths.stepped!({ align: 1 }),
        points: { show: false },
        value: (_: uPlot, y: number | null) => (y == null ? "" : chart.shown(y)),
        ...(line.dash === undefined ? {} : { dash: line.dash }),
      })),
    ],
    axes: [
      { ...axes, values: (_, ticks) => ticks.map((tick) => tickOf(tick, axis.unit)), space: 90 },
      {
        ...axes,
        values: (_, ticks) => ticks.map((tick) => chart.shown(tick)),
        size: 72,
        ...(chart.steps === undefined ? {} : { incrs: chart.steps }),
      },
    ],
    hooks: {
      setSelect: [
        (plot) => {
          const { left, width: selected } = plot.select;
          if (selected > 4) range.show(plot.posToVal(left, "x"), plot.posToVal(left + selected, "x"));
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}

/** Points that a chart has at most: more are noise. */
const POINTS = 120;

/** The columns that are shown, in groups so that there are few enough points. */
function dataOf({ lines, mean }: LineChart, { axis }: Picture, from: number, to: number): uPlot.AlignedData {
  const first = Math.max(0, Math.floor(from / axis.width));
  const last = Math.min(axis.columns, Math.ceil(to / axis.width));
  const step = Math.max(1, Math.ceil((last - first) / POINTS));
  const start = first - (first % step);
  const n = Math.max(1, Math.ceil((last - start) / step));
  const valuesOf = (values: readonly number[]): number[] =>
    Array.from({ length: n }, (_, i) => {
      const part = values.slice(start + i * step, start + (i + 1) * step);
      const sum = part.reduce((total, value) => total + value, 0);
      return mean ? sum / Math.max(1, part.length) : sum;
    });
  const times = Array.from({ length: n + 1 }, (_, i) => (start + i * step) * axis.width);
  // The last step has its length, too.
  const closed = (values: number[]): number[] => [...values, values[values.length - 1]];
  return [times, ...lines.map(({ values }) => closed(valuesOf(values)))];
}

/** A chart in the page. */
export interface DrawnChart {
  element: HTMLElement;
  /** Draws it again, in the colors of the theme. */
  draw(): void;
  /** Takes newer values of the same lines, which update() shows. */
  take(chart: LineChart, picture: Picture): void;
  update(): void;
}

/** Draws a chart, and again when what is shown, the theme or the width changes. */
export function lineChart(chart: LineChart, picture: Picture, range: TimeRange): DrawnChart {
  const holder = make("div", { id: chart.id, role: "img", "aria-label": chart.alternative });
  const element = part("figure", chart.title, chart.about, holder);
  let shown = { chart, picture };
  let plot: uPlot | null = null;
  const width = (): number => Math.max(240, holder.clientWidth);
  const data = (): uPlot.AlignedData => dataOf(shown.chart, shown.picture, range.from, range.to);
  const draw = (): void => {
    plot?.destroy();
    plot = new uPlot(options(shown.chart, shown.picture, range, width()), data(), holder);
  };
  const take = (newer: LineChart, from: Picture): void => {
    shown = { chart: newer, picture: from };
    holder.setAttribute("aria-label", newer.alternative);
  };
  const update = (): void => plot?.setData(data());
  range.follow(update);
  let drawn = 0;
  new ResizeObserver(() => {
    if (holder.clientWidth === drawn) return;
    drawn = holder.clientWidth;
    // All charts appear at once.
    if (plot === null) inTurn(draw);
    else plot.setSize({ width: width(), height: HEIGHT });
  }).observe(holder);
  return { element, draw, take, update };
}
