/** Tables that a click on a heading sorts. */
import { make, part } from "./dom.ts";

/** A column: its heading, a row's value, and how it is written. */
export interface Column<T> {
  title: string;
  value: (row: T) => number | string;
  shown?: (value: number) => string;
}

function cellOf<T>({ value, shown }: Column<T>, row: T): string {
  const cell = value(row);
  return typeof cell === "number" ? (shown ?? String)(cell) : cell;
}

/** A part of the page with a table. */
export function table<T>(
  title: string,
  about: string,
  columns: readonly Column<T>[],
  rows: readonly T[],
): HTMLElement {
  const body = make("tbody");
  const fill = (sorted: readonly T[]): void => {
    const lines = sorted.map((row) =>
      make("tr", {}, ...columns.map((column) => make("td", {}, cellOf(column, row)))),
    );
    body.replaceChildren(...lines);
  };
  const headings = columns.map(({ title: text }) => make("th", { scope: "col", "aria-sort": "none" }, text));
  columns.forEach(({ value }, i) => {
    const sort = (): void => {
      const descending = headings[i].getAttribute("aria-sort") !== "descending";
      for (const heading of headings) heading.setAttribute("aria-sort", "none");
      headings[i].setAttribute("aria-sort", descending ? "descending" : "ascending");
      const compare = (a: T, b: T): number => {
        const [one, other] = [value(a), value(b)];
        return one < other ? -1 : one > other ? 1 : 0;
      };
      fill([...rows].sort((a, b) => (descending ? compare(b, a) : compare(a, b))));
    };
    headings[i].replaceChildren(make("button", { type: "button", click: sort }, columns[i].title));
  });
  fill(rows);
  const whole = make("table", {}, make("thead", {}, make("tr", {}, ...headings)), body);
  const scroll = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, whole);
  return part("section", title, about, scroll);
}
