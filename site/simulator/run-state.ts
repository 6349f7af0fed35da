/** The state of the page: the run that is shown, and the one before. */
import type { RunReport } from "../../src/cli/report.ts";
import type { Picture } from "../../src/report/picture.ts";
import type { Answer, RunProgress } from "./messages.ts";
import type { Config } from "./question.ts";

/** A run that has ended. */
export interface EndedRun {
  config: Config;
  file: Blob | null;
  picture: Picture;
  report: RunReport;
}

export type Phase = "idle" | "running" | "paused" | "done" | "failed";

export interface RunState {
  phase: Phase;
  /** What the run was asked; null before the first one. */
  config: Config | null;
  file: Blob | null;
  progress: RunProgress | null;
  picture: Picture | null;
  /** The run that is shown, where it has ended. */
  ended: EndedRun | null;
  /** The run that ended before the one that is shown. */
  before: EndedRun | null;
  /** What went wrong. */
  message: string;
  /** Counts the runs: pictures of two runs are never mixed up. */
  number: number;
}

export const START: RunState = {
  phase: "idle",
  config: null,
  file: null,
  progress: null,
  picture: null,
  ended: null,
  before: null,
  message: "",
  number: 0,
};

export type Action =
  | { type: "begin"; config: Config }
  | { type: "opened"; file: Blob | null }
  | { type: "refused"; message: string }
  | Answer;

/** Returns the state after an action. */
export function next(state: RunState, action: Action): RunState {
  switch (action.type) {
    case "begin":
      return {
        ...START,
        phase: "running",
        config: action.config,
        before: state.ended ?? state.before,
        number: state.number + 1,
      };
    case "opened":
      return { ...state, file: action.file };
    case "progress": {
      const { progress, picture, paused } = action;
      return { ...state, progress, picture: picture ?? state.picture, phase: paused ? "paused" : "running" };
    }
    case "done": {
      const { progress, picture, report } = action;
      const ended = { config: state.config!, file: state.file, picture, report };
      return { ...state, phase: "done", progress, picture, ended };
    }
    case "refused":
      return { ...state, phase: "failed", config: null, message: action.message };
    case "failed":
      return { ...state, phase: "failed", message: action.message };
    case "perfetto":
      return state;
  }
}
