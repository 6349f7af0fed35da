import type { JSX } from "preact";
import { BUGS, type Bug } from "../config.ts";
import type { Session } from "./session.ts";
import { AGENT_NAMES, inPages } from "./words.ts";

const BUG_NAMES: Readonly<Record<Bug, string>> = {
  none: "no bug",
  "no-retry": "no retry",
  "late-invalidate": "late invalidation",
  "no-lock": "no lock",
};

function resultText({ race, raceFrom, lab: { steps } }: Session): string {
  if (race === null) return "";
  const { order, failure, complete, schedules } = race;
  const last = steps.length - 1;
  const broken = inPages(steps[last].broken ?? failure);
  if (order !== null)
    return (
      `Steps ${raceFrom + 1} to ${last} of the timeline are an order that fails: ` +
      `${broken}. Go through them with Next: the last one breaks the invariant.`
    );
  const orders = schedules === 1 ? "order of steps" : "orders of steps";
  return complete
    ? `No order fails: all ${schedules} ${orders} were tried.`
    : `None of ${schedules} ${orders} fails.`;
}

/** Who has something to do, and the order in which they do it: by hand, or one that fails. */
export function Race({ session }: { session: Session }): JSX.Element | null {
  const { lab, race, queueing } = session;
  const { agents } = lab.shown.state;
  const waiting = lab.at === lab.steps.length - 1 && agents.length > 0;
  if (!queueing && !waiting) return null;
  return (
    <section class="race" aria-labelledby="race-title">
      <h3 id="race-title">Interleave</h3>
      <label class="bug">
        The driver has
        <select value={lab.config.bug} onChange={(event) => session.setBug(event.currentTarget.value as Bug)}>
          {Object.entries(BUG_NAMES).map(([bug, name]) => (
            <option key={bug} value={bug}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <p class="hint">{BUGS[lab.config.bug]}</p>
      {agents.length === 0 && <p>Nobody has anything to do. Queue operations for both sides.</p>}
      <ul>
        {agents.map(({ agent, operation, next, holds }) => (
          <li key={agent} class={agent}>
            <button type="button" class="primary" onClick={() => session.step(agent)}>
              Step {AGENT_NAMES[agent]}
            </button>
            <span>
              {operation}: <b>{next}</b>
              {holds.length > 0 && (
                <small>
                  {" "}
                  holds {holds.map((hold) => (hold === "sem" ? "mmap_sem" : "its lock")).join(", ")}
                </small>
              )}
            </span>
          </li>
        ))}
      </ul>
      {agents.length > 0 && (
        <div class="buttons">
          <button type="button" onClick={() => session.finish()}>
            Let all finish
          </button>
          <button type="button" onClick={() => session.search()}>
            Find an order that fails
          </button>
        </div>
      )}
      <p class={race?.order ? "bad" : "good"} role="status">
        {resultText(session)}
      </p>
    </section>
  );
}
