/** Rows of the page: a published figure, ours, the error, and what it is worth. */

/** How our figure came about. */
export type Status = "exact" | "fitted" | "predicted";

export interface Row {
  what: string;
  published: number;
  ours: number;
  status: Status;
  digits?: number;
  /** The largest error that was aimed at, in percent; the row is marked where it is more. */
  aim?: number;
  /** Our figure's interval by the errors of the fits. */
  interval?: readonly [number, number];
  /** Why it is off. */
  note?: string;
}

/** A relative error in percent; 0 if both are 0. */
export function errorOf({ published, ours }: Pick<Row, "published" | "ours">): number {
  return published === ours ? 0 : 100 * (ours / published - 1);
}

function figure(value: number, digits: number): string {
  const [whole, part] = value.toFixed(digits).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return part === undefined ? grouped : `${grouped}.${part}`;
}

/** A signed percentage; 0 where the figures are the same. */
export function signed(percent: number): string {
  if (percent === 0) return "0";
  if (Math.abs(percent) < 0.05) return "0.0 %";
  return `${percent < 0 ? "−" : "+"}${Math.abs(percent).toFixed(1)} %`;
}

/** The rows as a table in Markdown. */
export function tableOf(rows: readonly Row[]): string {
  const intervals = rows.some(({ interval }) => interval !== undefined);
  const notes = rows.some(({ note }) => note !== undefined);
  const head = [
    "figure",
    "published",
    "ours",
    ...(intervals ? ["interval"] : []),
    "error",
    "",
    ...(notes ? ["why"] : []),
  ];
  const lines = rows.map((row) => {
    const { what, published, ours, status, digits = 0, interval, aim, note = "" } = row;
    const error = errorOf(row);
    const missed = aim !== undefined && Math.abs(error) > aim;
    return [
      what,
      figure(published, digits),
      figure(ours, digits),
      ...(intervals
        ? [interval === undefined ? "" : interval.map((end) => figure(end, digits)).join(" to ")]
        : []),
      missed ? `**${signed(error)}**` : signed(error),
      status,
      ...(notes ? [note] : []),
    ];
  });
  const rule = head.map((name, i) => (i > 0 && name !== "" && name !== "why" ? "--:" : "---"));
  return [head, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
