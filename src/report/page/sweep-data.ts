/** Chooses rows of a sweep by their axes, and takes means over the others. */
import { parseBytes } from "../../sim/size.ts";
import { summaryOf, type Summary } from "../statistics.ts";
import type { SweepPicture, SweepRow } from "../sweep-picture.ts";

/** What is drawn: indices of axes and figures; -1 is none. */
export interface Choice {
  figure: number;
  x: number;
  group: number;
  facet: number;
  /** For each axis: the index of the value that rows must have; -1: any. */
  filter: readonly number[];
}

/** The number that a value of an axis is, a size in bytes; NaN for a word. */
function numberOf(value: string): number {
  const plain = Number(value);
  return value === "" || Number.isNaN(plain) ? parseBytes(value) : plain;
}

/** Where the values of an axis are on a line, and whether equal distances are equal factors. */
export interface Positions {
  at: readonly number[];
  kind: "linear" | "log2" | "words";
}

/** Ticks of a logarithmic scale, at most. */
const LOG_TICKS = 8;

/** The factor from which a line of numbers shows equal factors as equal distances. */
const WIDE = 8;

/** Returns the positions of an axis's values. Words stand side by side. */
export function positionsOf(values: readonly string[]): Positions {
  const numbers = values.map(numberOf);
  if (values.length < 2 || numbers.some(Number.isNaN)) return { at: values.map((_, i) => i), kind: "words" };
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  if (least > 0 && most / least >= WIDE) return { at: numbers.map(Math.log2), kind: "log2" };
  return { at: numbers, kind: "linear" };
}

/**
 * Returns the ticks of a logarithmic scale, few enough to be read: powers of two of bytes; of other figures
 * powers of ten, or 1, 2 and 5 times these where there are few.
 */
export function logTicks(bottom: number, top: number, inBytes: boolean): number[] {
  const base = inBytes ? 2 : 10;
  const between = inBytes ? [1] : top / bottom < 100 ? [1, 2, 5] : [1];
  const [first, last] = [bottom, top].map((end) => Math.floor(Math.log(end) / Math.log(base)));
  const all = Array.from({ length: last - first + 1 }, (_, i) => base ** (first + i))
    .flatMap((power) => between.map((factor) => factor * power))
    .filter((tick) => tick >= bottom && tick <= top);
  const step = Math.ceil(all.length / LOG_TICKS);
  return all.filter((_, i) => i % step === 0);
}

/** The first choice of a page: the axis with the most numbers across, others as lines and small pictures. */
export function firstChoice({ axes, replica, figures }: SweepPicture): Choice {
  const free = axes.map((_, i) => i).filter((i) => i !== replica && axes[i].values.length > 1);
  const score = (i: number): number =>
    axes[i].values.length + (positionsOf(axes[i].values).kind === "words" ? 0 : 1000);
  const [x = -1, ...rest] = [...free].sort((a, b) => score(b) - score(a));
  const few = rest.filter((i) => axes[i].values.length <= 8).sort((a, b) => a - b);
  const [group = -1, facet = -1] = few;
  const filter = axes.map((_, i) => (i === replica || [x, group, facet].includes(i) ? -1 : 0));
  return { figure: Math.min(1, figures.length - 1), x, group, facet, filter };
}

/** Whether a row has the values that the filter asks for. */
function passes({ at }: SweepRow, filter: readonly number[]): boolean {
  return filter.every((value, axis) => value < 0 || at[axis] === value);
}

/** A line: a summary for each value of the axis across; null where no run is. */
export interface SweepLine {
  /** The index of the group's value; -1: there are no groups. */
  group: number;
  points: readonly (Summary | null)[];
}

/** Returns the lines of one small picture: those of the rows whose facet is `facet` (-1: any). */
export function linesOf(picture: SweepPicture, choice: Choice, facet: number): SweepLine[] {
  const { axes, rows } = picture;
  const groups = choice.group < 0 ? [-1] : axes[choice.group].values.map((_, i) => i);
  const across = choice.x < 0 ? [""] : axes[choice.x].values;
  const chosen = rows.filter(
    (row) => passes(row, choice.filter) && (facet < 0 || row.at[choice.facet] === facet),
  );
  return groups.map((group) => {
    const own = group < 0 ? chosen : chosen.filter(({ at }) => at[choice.group] === group);
    const points = across.map((_, i) => {
      const values = own
        .filter(({ at }) => choice.x < 0 || at[choice.x] === i)
        .map(({ values }) => values[choice.figure])
        .filter((value) => value !== null);
      return values.length === 0 ? null : summaryOf(values);
    });
    return { group, points };
  });
}

/** For each line, the first one that has the same mean at every point: itself, if it covers no other. */
export function firstAlike(lines: readonly SweepLine[]): number[] {
  const keys = lines.map(({ points }) => points.map((point) => point?.mean ?? "").join());
  return keys.map((key) => keys.indexOf(key));
}

/** A point of the grid without its seeds: the means of its figures, and the first run of it. */
export interface MeanPoint {
  row: SweepRow;
  values: readonly (number | null)[];
}

/** Returns the points of the grid, each once, with means over its seeds. */
export function meansOf({ rows, figures, replica }: SweepPicture): MeanPoint[] {
  const points = new Map<string, SweepRow[]>();
  for (const row of rows) {
    const key = row.at.filter((_, axis) => axis !== replica).join();
    points.set(key, [...(points.get(key) ?? []), row]);
  }
  return [...points.values()].map((all) => ({
    row: all[0],
    values: figures.map((_, i) => {
      const values = all.map(({ values }) => values[i]).filter((value) => value !== null);
      return values.length < all.length ? null : summaryOf(values).mean;
    }),
  }));
}
