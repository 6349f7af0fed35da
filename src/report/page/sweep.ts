/** The page of a sweep: draws any figure against any axis, and finds the best points. */
import type { SweepPicture } from "../sweep-picture.ts";
import { choose } from "./controls.ts";
import { make, part } from "./dom.ts";
import { bestTable, frontTable } from "./sweep-best.ts";
import { firstChoice, type Choice } from "./sweep-data.ts";
import { facets, type LineStyle } from "./sweep-lines.ts";
import { pareto, type ParetoChoice } from "./sweep-pareto.ts";
import { themeButton } from "./theme.ts";

const picture = JSON.parse(document.getElementById("picture")!.textContent) as SweepPicture;
const { axes, figures, replica } = picture;
const figureNames = figures.map(({ title }, i): [number, string] => [i, title]);
/** Axes that can be chosen; those with one value say nothing. */
const free = axes.map((_, i) => i).filter((i) => i !== replica && axes[i].values.length > 1);
const axisNames = free.map((i): [number, string] => [i, axes[i].name]);
const NONE: [number, string] = [-1, "–"];

let choice: Choice = firstChoice(picture);
let style: LineStyle = { log: false, interval: "mean" };
let plane: ParetoChoice = { x: 0, y: choice.figure, group: choice.group };

/** Takes an axis for one use, and away from the others. */
function use(role: "x" | "group" | "facet", axis: number): void {
  const roles = { x: choice.x, group: choice.group, facet: choice.facet };
  for (const other of ["x", "group", "facet"] as const) if (roles[other] === axis) roles[other] = roles[role];
  roles[role] = axis;
  const used = Object.values(roles);
  const filter = choice.filter.map((value, i) =>
    used.includes(i) ? -1 : i === replica ? -1 : Math.max(0, value),
  );
  choice = { ...choice, ...roles, filter };
  draw();
}

function controls(): HTMLElement {
  const others = free.filter((i) => ![choice.x, choice.group, choice.facet].includes(i));
  const filters = others.map((i) =>
    choose(
      axes[i].name,
      [[-1, "mean of all"], ...axes[i].values.map((value, v): [number, string] => [v, value])],
      choice.filter[i],
      (value) => {
        choice = { ...choice, filter: choice.filter.map((before, at) => (at === i ? value : before)) };
        draw();
      },
    ),
  );
  return make(
    "div",
    { class: "controls" },
    choose("figure", figureNames, choice.figure, (figure) => {
      choice = { ...choice, figure };
      draw();
    }),
    choose("against", axisNames, choice.x, (axis) => use("x", axis)),
    choose("lines by", [NONE, ...axisNames], choice.group, (axis) => use("group", axis)),
    choose("pictures by", [NONE, ...axisNames], choice.facet, (axis) => use("facet", axis)),
    choose(
      "scale",
      [
        [0, "linear"],
        [1, "logarithmic"],
      ],
      Number(style.log),
      (value) => {
        style = { ...style, log: value === 1 };
        draw();
      },
    ),
    ...(replica < 0
      ? []
      : [
          choose(
            "interval",
            [
              [0, "95 % of the mean"],
              [1, "least to most"],
            ],
            style.interval === "mean" ? 0 : 1,
            (value) => {
              style = { ...style, interval: value === 0 ? "mean" : "range" };
              draw();
            },
          ),
        ]),
    ...filters,
  );
}

function planeControls(): HTMLElement {
  const set = (part: Partial<ParetoChoice>): void => {
    plane = { ...plane, ...part };
    draw();
  };
  return make(
    "div",
    { class: "controls" },
    choose("across", figureNames, plane.x, (x) => set({ x })),
    choose("up", figureNames, plane.y, (y) => set({ y })),
    choose("colors by", [NONE, ...axisNames], plane.group, (group) => set({ group })),
  );
}

const main = make("main");

function draw(): void {
  if (picture.rows.length === 0) {
    main.replaceChildren(make("p", { class: "lead" }, "No job of this sweep is done."));
    return;
  }
  const seeds = replica < 0 ? "" : ` Bands are intervals over ${axes[replica].values.length} seeds.`;
  main.replaceChildren(
    part(
      "figure",
      "Any figure against any axis",
      `Each line is the mean of the runs at its points.${seeds}`,
      controls(),
      make("div", { id: "lines" }, ...facets(picture, choice, style)),
    ),
    part(
      "figure",
      "One figure for another",
      "Each point of the grid; the dashed line joins those that no other point beats in both figures.",
      planeControls(),
      pareto(picture, plane),
    ),
    frontTable(picture, plane),
    bestTable(picture, choice.figure, choice.x),
    make("footer", {}, "Made by heteromem. Nothing on this page comes from the network."),
  );
}

const title = make("div", {}, make("h1", {}, picture.title), make("p", { class: "lead" }, picture.lead));
document.body.append(make("header", {}, title, themeButton(draw)), main);
draw();
