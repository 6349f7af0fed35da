/** Tables of a sweep: the best point for each question, and the front, with the commands that run them. */
import type { SweepPicture } from "../sweep-picture.ts";
import { meansOf, type MeanPoint } from "./sweep-data.ts";
import { writerOf } from "./sweep-lines.ts";
import { frontOf, pointText, type ParetoChoice } from "./sweep-pareto.ts";
import { table } from "./tables.ts";

interface Answer {
  question: string;
  value: string;
  point: string;
  command: string;
}

const COLUMNS = [
  { title: "question", value: ({ question }: Answer) => question },
  { title: "value", value: ({ value }: Answer) => value },
  { title: "point", value: ({ point }: Answer) => point },
  { title: "command", value: ({ command }: Answer) => command },
];

/** A table whose columns from the third on are words. */
function withWords(element: HTMLElement): HTMLElement {
  element.classList.add("answers");
  return element;
}

/** The point with the least of a figure; undefined: no point has it. */
function leastOf(points: readonly MeanPoint[], figure: number): MeanPoint | undefined {
  return points
    .filter(({ values }) => values[figure] !== null)
    .reduce<MeanPoint | undefined>(
      (best, point) => (best === undefined || point.values[figure]! < best.values[figure]! ? point : best),
      undefined,
    );
}

/** Returns the table of the least of each figure, over all and for each value of the axis across. */
export function bestTable(picture: SweepPicture, figure: number, x: number): HTMLElement {
  const points = meansOf(picture);
  const answer = (question: string, best: MeanPoint | undefined, i: number): Answer[] =>
    best === undefined
      ? []
      : [
          {
            question,
            value: writerOf(picture.figures[i])(best.values[i]!),
            point: pointText(picture, best.row.at),
            command: best.row.command,
          },
        ];
  const all = picture.figures.flatMap(({ title, key }, i) =>
    key === "deviceMemory" ? [] : answer(`least ${title}`, leastOf(points, i), i),
  );
  const { title } = picture.figures[figure];
  const each =
    x < 0
      ? []
      : picture.axes[x].values.flatMap((value, i) => {
          const own = points.filter(({ row }) => row.at[x] === i);
          return answer(`least ${title} with ${picture.axes[x].name} ${value}`, leastOf(own, figure), figure);
        });
  const about =
    "The point with the least mean, and the command that runs its first seed; a click selects it.";
  return withWords(table("Best for each question", about, COLUMNS, [...all, ...each]));
}

/** Returns the table of the points that no other one beats. */
export function frontTable(picture: SweepPicture, choice: ParetoChoice): HTMLElement {
  const [x, y] = [picture.figures[choice.x], picture.figures[choice.y]];
  const columns = [
    { title: x.title, value: ({ values }: MeanPoint) => values[choice.x]!, shown: writerOf(x) },
    { title: y.title, value: ({ values }: MeanPoint) => values[choice.y]!, shown: writerOf(y) },
    { title: "point", value: ({ row }: MeanPoint) => pointText(picture, row.at) },
    { title: "command", value: ({ row }: MeanPoint) => row.command },
  ];
  const about = "Points that no other one beats: less of one figure, and no more of the other.";
  return withWords(table("The front", about, columns, frontOf(picture, choice)));
}
