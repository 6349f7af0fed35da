/** The pictures of one run. They follow it while it goes on: each newer picture is shown in their place. */
import type { Picture } from "../picture.ts";
import { causeBars, sizeBars } from "./bars.ts";
import { chartsOf } from "./charts.ts";
import { make } from "./dom.ts";
import { inTurn } from "./in-turn.ts";
import { HeatMap } from "./heat.ts";
import { lineChart, type DrawnChart } from "./lines.ts";
import { TimeRange } from "./range.ts";
import { limit, numbers } from "./run-numbers.ts";
import { tablesOf } from "./run-tables.ts";

export class RunView {
  /** From top to bottom. */
  readonly elements: readonly HTMLElement[];
  readonly #range: TimeRange;
  readonly #heat: HeatMap;
  readonly #charts: readonly DrawnChart[];
  readonly #top = make("div");
  readonly #bars = make("div", { class: "pair" });
  readonly #tables = make("div");
  /** Counts pictures: what is left of an older one is not drawn. */
  #turn = 0;

  constructor(picture: Picture) {
    this.#range = new TimeRange(Math.max(1, picture.axis.end));
    this.#heat = new HeatMap(picture, this.#range);
    this.#charts = chartsOf(picture).map((chart) => lineChart(chart, picture, this.#range));
    const charts = make("div", { class: "pair" }, ...this.#charts.map(({ element }) => element));
    this.elements = [this.#top, this.#heat.element, charts, this.#bars, this.#tables];
    this.#fill(picture);
    this.#tables.replaceChildren(...tablesOf(picture));
  }

  /**
   * Shows a newer picture of the same run, part by part: each frame draws one, so that no frame has to wait
   * long. A call before the last one is done goes on with the newer picture.
   * @param whole whether the run has ended or pauses: the tables follow then only, so that they hold still
   * @param shown is called when all of this picture is drawn
   */
  show(picture: Picture, whole: boolean, shown: () => void): void {
    const charts = chartsOf(picture);
    this.#range.extend(Math.max(1, picture.axis.end));
    const steps = [
      () => {
        this.#heat.take(picture);
        this.#heat.draw();
      },
      ...this.#charts.map((chart, i) => () => {
        chart.take(charts[i], picture);
        chart.update();
      }),
      () => this.#fill(picture),
      ...(whole ? [() => this.#tables.replaceChildren(...tablesOf(picture))] : []),
      shown,
    ];
    const turn = ++this.#turn;
    for (const step of steps)
      inTurn(() => {
        if (turn === this.#turn) step();
      });
  }

  /** Draws everything again, in the colors of the theme. */
  redraw(): void {
    this.#heat.draw();
    for (const chart of this.#charts) chart.draw();
  }

  #fill(picture: Picture): void {
    const { timing } = picture.report;
    this.#top.replaceChildren(...limit(picture), numbers(picture));
    const causes = timing === null ? [] : [causeBars(timing)];
    this.#bars.replaceChildren(...causes, sizeBars(picture.sizes));
  }
}
