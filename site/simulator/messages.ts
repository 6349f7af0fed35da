/** What the page and the worker tell each other. */
import type { RunReport } from "../../src/cli/report.ts";
import type { Picture } from "../../src/report/picture.ts";
import type { Config } from "./question.ts";

/** What the page asks. */
export type Request =
  | {
      type: "run";
      /** Stands in every answer to it. */
      number: number;
      config: Config;
      /** The trace, if the config names one. */
      file: Blob | null;
      /** Gives a trace for Perfetto, and no pictures. */
      perfetto: boolean;
      version: string;
    }
  | { type: "pause" | "resume" | "stop" }
  /** The last picture is drawn: another may come. */
  | { type: "drawn" };

/** How far a run is. */
export interface RunProgress {
  accesses: number;
  /** Of the trace's bytes, the share that was read; null: not known. */
  share: number | null;
  /** Milliseconds that the run has worked. */
  elapsed: number;
}

/** What the worker answers. */
export type Answer =
  | { type: "progress"; progress: RunProgress; picture: Picture | null; paused: boolean }
  | { type: "done"; progress: RunProgress; picture: Picture; report: RunReport }
  | { type: "perfetto"; trace: Blob }
  | { type: "failed"; message: string };

/** An answer, and the number of the run that it is about. */
export interface Numbered {
  number: number;
  answer: Answer;
}
