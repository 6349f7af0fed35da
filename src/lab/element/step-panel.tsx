import type { JSX } from "preact";
import { describeOperation } from "../operation.ts";
import { textOf } from "../texts-here.ts";
import type { Session } from "./session.ts";
import { AGENT_NAMES, announcement, changedText, inPages } from "./words.ts";

/** The step that is shown: what happens, what for, and what it keeps. */
export function StepPanel({ session }: { session: Session }): JSX.Element {
  const { lab, message } = session;
  const { shown, at, steps, operations } = lab;
  const text = textOf(lab, at);
  const operation = shown.operation >= 0 ? describeOperation(operations[shown.operation]) : "";
  const changed = changedText(shown);
  return (
    <section class={`step ${shown.agent ?? "world"}`} aria-labelledby="step-title">
      <p class="overline">
        {shown.agent !== null && <b class={`badge ${shown.agent}`}>{AGENT_NAMES[shown.agent]}</b>}
        <span>{operation}</span>
        <span class="count">
          step {at} of {steps.length - 1}
        </span>
      </p>
      <h2 id="step-title">
        {text.title} <code>{text.call}</code>
      </h2>
      {shown.detail !== "" && <p class="detail">{shown.detail}</p>}
      {shown.error !== null && <p class="bad">The operation fails: {shown.error}</p>}
      {shown.broken !== null && (
        <p class="bad">
          <b>An invariant is broken.</b> {inPages(shown.broken)}
        </p>
      )}
      {message !== "" && <p class="waits">{message}</p>}
      <p class="says">
        {text.says}
        {text.section !== null && (
          <cite>
            The HMM document, <q>{text.section}</q>
          </cite>
        )}
      </p>
      <p class="keeps">
        <b>Invariant:</b> {text.keeps}
      </p>
      {text.otherwise !== undefined && <p class="otherwise">{text.otherwise}</p>}
      <p class="changed">{changed === "" ? "Nothing that is shown changes." : `Changed: ${changed}.`}</p>
      <p class="hidden" role="status" aria-live="polite">
        {announcement(lab)} {message}
      </p>
    </section>
  );
}
