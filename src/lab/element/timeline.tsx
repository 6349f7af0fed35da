import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Lab, LabStep } from "../lab.ts";
import { describeOperation } from "../operation.ts";
import { textOf } from "../texts-here.ts";
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

/** Buttons to step, and a slider to scrub. */
function Transport({ session }: { session: Session }): JSX.Element {
  const { lab } = session;
  const { steps, at } = lab;
  const last = steps.length - 1;
  const button = (to: number, label: string, key: string, name?: string): JSX.Element => (
    <button
      type="button"
      class={name === undefined ? "primary" : ""}
      onClick={() => session.goto(to)}
      disabled={at === (to < at ? 0 : last)}
      aria-label={name ?? label.replace(/[^A-Za-z]/g, "")}
      title={`${name ?? "Step"} (${key})`}
    >
      {label}
    </button>
  );
  return (
    <div class="transport">
      {button(0, "|◀", "Home", "First step")}
      {button(at - 1, "◀ Back", "←")}
      {button(at + 1, "Next ▶", "→")}
      {button(last, "▶|", "End", "Last step")}
      <input
        type="range"
        min={0}
        max={last}
        value={at}
        aria-label="Step"
        aria-valuetext={`Step ${at} of ${last}: ${textOf(lab, at).title}`}
        onInput={(event) => session.goto(Number(event.currentTarget.value))}
      />
    </div>
  );
}

/** The operations from left to right, a mark for each step. The slider says the same to a screen reader. */
export function Timeline({ session }: { session: Session }): JSX.Element {
  const { lab } = session;
  const { steps, at, operations } = lab;
  const strip = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const box = strip.current;
    const tick = box?.querySelector<HTMLElement>(".tick.now");
    if (box && tick) box.scrollLeft = tick.offsetLeft - box.offsetLeft - box.clientWidth / 2;
  }, [at, steps.length]);
  return (
    <section class="timeline" aria-label="Timeline">
      <Transport session={session} />
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
                  title={titleOf(lab, index)}
                  onClick={() => session.goto(index)}
                />
              ))}
            </span>
          </div>
        ))}
      </div>
    </section>
  );
}

function titleOf(lab: Lab, index: number): string {
  const { agent } = lab.steps[index];
  return `${index}. ${agent === null ? "" : `${AGENT_NAMES[agent]}: `}${textOf(lab, index).title}`;
}

function tickClass({ inside, broken, error, agent }: LabStep, index: number, at: number): string {
  const state = broken !== null || error !== null ? "wrong" : "";
  const time = index === at ? "now" : index < at ? "past" : "";
  return ["tick", agent ?? "world", inside ? "inside" : "", state, time].filter(Boolean).join(" ");
}
