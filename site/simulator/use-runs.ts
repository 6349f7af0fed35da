/** Runs questions in the worker, one at a time, and keeps what came of the last two. */
import { useReducer, useRef } from "preact/hooks";
import { hashOf, type Config } from "./question.ts";
import { next, START, type RunState } from "./run-state.ts";
import { fileOf, Runner } from "./runner.ts";

export interface Runs {
  state: RunState;
  runner: () => Runner;
  /** Runs a config; the address of the page becomes that of the run. */
  run: (config: Config, dropped: File | null) => void;
  /** Says why something cannot be run. */
  refuse: (message: string) => void;
}

/** A hook. The worker starts with the first run. */
export function useRuns(): Runs {
  const [state, dispatch] = useReducer(next, START);
  const worker = useRef<Runner | null>(null);
  /** Counts what was asked: a file that is loaded too late is not run. */
  const attempts = useRef(0);
  const runner = (): Runner => (worker.current ??= new Runner());
  const refuse = (message: string): void => dispatch({ type: "refused", message });
  const run = (config: Config, dropped: File | null): void => {
    const attempt = ++attempts.current;
    runner().forget();
    history.replaceState(null, "", hashOf(config));
    dispatch({ type: "begin", config });
    fileOf(config, dropped).then(
      (file) => {
        if (attempt !== attempts.current) return;
        dispatch({ type: "opened", file });
        runner().run(config, file, dispatch);
      },
      (error: Error) => refuse(error.message),
    );
  };
  return { state, runner, run, refuse };
}
