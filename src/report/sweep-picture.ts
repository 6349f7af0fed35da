/** What the page of a sweep draws. */

/** A figure of each run, and how it is written. */
export interface Figure {
  key: string;
  title: string;
  unit: "count" | "bytes" | "ps";
}

/** A point of the grid with the figures of its run. */
export interface SweepRow {
  id: string;
  /** The index of its value, for each axis; -1: it has none. */
  at: readonly number[];
  /** For each figure; null: the run has none. */
  values: readonly (number | null)[];
  /** The command that runs it again. */
  command: string;
}

/** An axis: its values as tables show them, in order. */
export interface SweepAxis {
  name: string;
  values: readonly string[];
}

/** A sweep with its results. */
export interface SweepPicture {
  title: string;
  /** A line about what is there. */
  lead: string;
  axes: readonly SweepAxis[];
  /** The axis of seeds, over which means are taken; -1: there is none. */
  replica: number;
  figures: readonly Figure[];
  rows: readonly SweepRow[];
}
