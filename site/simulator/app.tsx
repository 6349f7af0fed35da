/** The simulator: what is asked at the left, what came of it at the right. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { JSX } from "preact";
import { AccessesForm } from "./accesses-form.tsx";
import { DropTarget } from "./drop-target.tsx";
import { MachineForm } from "./machine-form.tsx";
import { Presets, PRESETS } from "./presets.tsx";
import { configIn, isBundled, type Config } from "./question.ts";
import { Results } from "./results.tsx";
import { useRuns } from "./use-runs.ts";

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

/** A hook: on a narrow screen the answer is below the form, and comes into view with each run. */
function useAnswerInView(number: number): { current: HTMLDivElement | null } {
  const answer = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const top = answer.current?.getBoundingClientRect().top ?? 0;
    if (number > 0 && top > innerHeight / 2) answer.current?.scrollIntoView();
  }, [number]);
  return answer;
}

export function App(): JSX.Element {
  const [config, setConfig] = useState<Config>(() => asked().config ?? PRESETS[0].config);
  const [file, setFile] = useState<File | null>(null);
  const { state, runner, run, refuse } = useRuns();
  const answer = useAnswerInView(state.number);
  const take = (dropped: File): void => {
    const { workload: _workload, offload: _offload, trace: _trace, ...rest } = config;
    setFile(dropped);
    setConfig({ trace: dropped.name, ...rest });
  };
  const choose = (question: Config): void => {
    setConfig(question);
    run(question, null);
  };
  const follow = (): void => {
    const { config: question, message } = asked();
    if (message !== "") refuse(message);
    if (question === null) return;
    setConfig(question);
    if (isWhole(question)) run(question, null);
  };
  useEffect(() => {
    follow();
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  const submit = (event: Event): void => {
    event.preventDefault();
    run(config, file);
  };
  const busy = state.phase === "running" || state.phase === "paused";
  return (
    <div class="simulator">
      <DropTarget take={take} />
      <form class="question" aria-label="What is simulated" onSubmit={submit}>
        <AccessesForm config={config} change={setConfig} file={file} take={take} />
        <MachineForm config={config} change={setConfig} />
        <button type="submit" class="primary" id="run">
          {busy ? "Run again" : "Run"}
        </button>
      </form>
      <div class={`answer ${state.phase}`} ref={answer}>
        {state.phase === "idle" ? <Presets choose={choose} /> : <Results state={state} runner={runner()} />}
      </div>
    </div>
  );
}
