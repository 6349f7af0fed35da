/** What came of a run: how far it is, its pictures, and what can be done with it. */
import type { JSX } from "preact";
import { lead } from "../../src/report/page/run-numbers.ts";
import { count } from "../../src/report/page/words.ts";
import { Compare } from "./compare.tsx";
import { Exports } from "./exports.tsx";
import { Pictures } from "./pictures.tsx";
import type { Runner } from "./runner.ts";
import type { Phase, RunState } from "./run-state.ts";

const PHASES: Record<Phase, string> = {
  idle: "Nothing runs.",
  running: "Running",
  paused: "Paused",
  done: "Done",
  failed: "This cannot be run",
};

function rate({ progress }: RunState): string {
  if (progress === null || progress.elapsed < 1) return "";
  const perSecond = progress.accesses / (progress.elapsed / 1000);
  return `${(perSecond / 1e6).toFixed(perSecond < 1e7 ? 1 : 0)} M a second`;
}

function Progress({ state, runner }: ResultsProps): JSX.Element {
  const { phase, progress, message } = state;
  const busy = phase === "running" || phase === "paused";
  return (
    <div class={`status ${phase}`}>
      <p role="status">
        <strong>{PHASES[phase]}</strong>
        {message === "" ? null : `: ${message}`}
      </p>
      {progress === null ? null : (
        <p class="dim">
          {count(progress.accesses)} accesses, {rate(state)}
        </p>
      )}
      <span class="spacer" />
      {busy ? (
        <>
          <button
            type="button"
            id="pause"
            onClick={() => runner.send(phase === "paused" ? "resume" : "pause")}
            disabled={progress === null}
          >
            {phase === "paused" ? "Resume" : "Pause"}
          </button>
          <button type="button" id="stop" onClick={() => runner.send("stop")} disabled={progress === null}>
            Stop
          </button>
        </>
      ) : null}
      {busy && progress !== null && progress.share !== null ? (
        <progress aria-label="Read of the trace" value={progress.share} max={1} />
      ) : null}
    </div>
  );
}

export interface ResultsProps {
  state: RunState;
  runner: Runner;
}

export function Results({ state, runner }: ResultsProps): JSX.Element {
  const { picture, ended, before, phase } = state;
  return (
    <>
      <Progress state={state} runner={runner} />
      {ended === null ? null : <Exports run={ended} runner={runner} />}
      {ended !== null && before !== null ? <Compare before={before} now={ended} /> : null}
      {picture === null ? null : (
        <>
          <p class="lead">{lead(picture)}</p>
          <Pictures
            key={state.number}
            picture={picture}
            whole={phase !== "running"}
            drawn={() => runner.send("drawn")}
          />
        </>
      )}
    </>
  );
}
