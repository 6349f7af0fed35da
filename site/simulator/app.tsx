/** The simulator: what is asked at the left, what came of it at the right. */
import { useEffect, useReducer, useRef, useState } from "preact/hooks";
import type { JSX } from "preact";
import { AccessesForm } from "./accesses-form.tsx";
import { DropTarget } from "./drop-target.tsx";
import { MachineForm } from "./machine-form.tsx";
import { Presets, PRESETS } from "./presets.tsx";
import { configIn, hashOf, isBundled, type Config } from "./question.ts";
import { Results } from "./results.tsx";
import { next, START } from "./run-state.ts";
import { fileOf, Runner } from "./runner.ts";

/** Reads the address. Returns the config, or what is wrong. */
function asked(): { config: Config | null; message: string } {
  try {
    return { config: configIn(location.hash), message: "" };
  } catch (error) {
    return { config: null, message: `This address cannot be read: ${(error as Error).message}` };
  }
}

/** Whether a config can be run without a file of the user's. */
function isWhole({ trace, workload }: Config): boolean {
  return workload !== undefined || isBundled(trace);
}

export function App(): JSX.Element {
  const [config, setConfig] = useState<Config>(() => asked().config ?? PRESETS[0].config);
  const [file, setFile] = useState<File | null>(null);
  const [state, dispatch] = useReducer(next, START);
  const runner = useRef<Runner | null>(null);
  /** Counts what was asked: a file that is loaded too late is not run. */
  const attempts = useRef(0);
  const answer = useRef<HTMLDivElement>(null);
  const busy = state.phase === "running" || state.phase === "paused";

  const run = (question: Config, dropped = file): void => {
    const mine = (runner.current ??= new Runner());
    const attempt = ++attempts.current;
    mine.forget();
    history.replaceState(null, "", hashOf(question));
    dispatch({ type: "begin", config: question });
    fileOf(question, dropped).then(
      (opened) => {
        if (attempt !== attempts.current) return;
        dispatch({ type: "opened", file: opened });
        mine.run(question, opened, dispatch);
      },
      (error: Error) => dispatch({ type: "refused", message: error.message }),
    );
  };
  const take = (dropped: File): void => {
    const { workload: _workload, offload: _offload, trace: _trace, ...rest } = config;
    setFile(dropped);
    setConfig({ trace: dropped.name, ...rest });
  };
  const follow = (): void => {
    const { config: question, message } = asked();
    if (message !== "") dispatch({ type: "refused", message });
    if (question === null) return;
    setConfig(question);
    if (isWhole(question)) run(question);
  };
  useEffect(() => {
    follow();
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);

  useEffect(() => {
    // On a narrow screen the answer is below the form.
    const top = answer.current?.getBoundingClientRect().top ?? 0;
    if (state.number > 0 && top > innerHeight / 2) answer.current?.scrollIntoView();
  }, [state.number]);

  return (
    <div class="simulator">
      <DropTarget take={take} />
      <form
        class="question"
        aria-label="What is simulated"
        onSubmit={(event) => {
          event.preventDefault();
          run(config);
        }}
      >
        <AccessesForm config={config} change={setConfig} file={file} take={take} />
        <MachineForm config={config} change={setConfig} />
        <button type="submit" class="primary" id="run">
          {busy ? "Run again" : "Run"}
        </button>
      </form>
      <div class={`answer ${state.phase}`} ref={answer}>
        {state.phase === "idle" ? (
          <Presets
            choose={(preset) => {
              setConfig(preset);
              run(preset);
            }}
          />
        ) : (
          <Results state={state} runner={runner.current!} />
        )}
      </div>
    </div>
  );
}
