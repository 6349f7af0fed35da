import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { LabStep } from "../lab.ts";
import { describeOperation } from "../operation.ts";
import { STEP_TEXTS } from "../texts.ts";
import type { Session } from "./session.ts";
import { AGENT_NAMES } from "./words.ts";

interface Group {
  readonly operation: number;
  readonly steps: { readonly step: LabStep; readonly index: number }[];
}

/** Neighboring steps of one operation. */
function groupsOf(steps: readonly LabStep[]): Group[] {
  const groups: Group[] = [];
  steps.forEach((step, index) => {
    const last = groups.at(-1);
    if (last?.operation === step.operation) last.steps.push({ step, index });
    else groups.push({ operation: step.operation, steps: [{ step, index }] });
  });
  return groups;
}

/** The steps from left to right, grouped by operation, with a slider to scrub and buttons to step. */
export function Timeline({ session }: { session: Session }): JSX.Element {
  const { lab } = session;
  const { steps, at, operations } = lab;
  const last = steps.length - 1;
  const strip = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const box = strip.current;
    const tick = box?.querySelector<HTMLElement>(".tick.now");
    if (!box || !tick) return;
    const middle = tick.offsetLeft - box.offsetLeft - box.clientWidth / 2;
    box.scrollLeft = middle;
  }, [at, last]);
  const go = (step: number) => (): void => session.goto(step);
  return (
    <section class="timeline" aria-label="Timeline">
      <div class="transport">
        <button
          type="button"
          onClick={go(0)}
          disabled={at === 0}
          aria-label="First step"
          title="First step (Home)"
        >
          <span aria-hidden="true">|◀</span>
        </button>
        <button type="button" class="primary" onClick={go(at - 1)} disabled={at === 0} title="Step back (←)">
          <span aria-hidden="true">◀</span> Back
        </button>
        <button
          type="button"
          class="primary"
          onClick={go(at + 1)}
          disabled={at === last}
          title="Step forward (→)"
        >
          Next <span aria-hidden="true">▶</span>
        </button>
        <button
          type="button"
          onClick={go(last)}
          disabled={at === last}
          aria-label="Last step"
          title="Last step (End)"
        >
          <span aria-hidden="true">▶|</span>
        </button>
        <input
          type="range"
          min={0}
          max={last}
          value={at}
          aria-label="Step"
          aria-valuetext={`Step ${at} of ${last}: ${STEP_TEXTS[steps[at].id].title}`}
          onInput={(event) => session.goto(Number(event.currentTarget.value))}
        />
      </div>
      <div class="strip" ref={strip} aria-hidden="true">
        {groupsOf(steps).map(({ operation, steps: own }) => (
          <div class={`group ${own[0].step.agent ?? "world"}`} key={own[0].index}>
            <span class="name">
              {operation < 0 ? "fresh world" : describeOperation(operations[operation])}
            </span>
            <span class="ticks">
              {own.map(({ step, index }) => (
                <span
                  key={index}
                  class={tickClass(step, index, at)}
                  title={`${index}. ${step.agent === null ? "" : `${AGENT_NAMES[step.agent]}: `}${STEP_TEXTS[step.id].title}`}
                  onClick={go(index)}
                />
              ))}
            </span>
          </div>
        ))}
      </div>
    </section>
  );
}

function tickClass({ inside, broken, error, agent }: LabStep, index: number, at: number): string {
  const state = broken !== null || error !== null ? "wrong" : "";
  const time = index === at ? "now" : index < at ? "past" : "";
  return ["tick", agent ?? "world", inside ? "inside" : "", state, time].filter(Boolean).join(" ");
}
