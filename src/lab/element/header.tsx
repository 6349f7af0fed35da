import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { SCENARIOS } from "../scenarios.ts";
import { TOUR } from "../tour.ts";
import type { Session } from "./session.ts";

const GROUPS = ["basics", "races", "kernel tests"] as const;
const GROUP_NAMES = { basics: "Basics", races: "Races", "kernel tests": "The kernel's tests" } as const;

/** Copies what `text` returns, and says so for a moment; where the clipboard is closed, shows the text. */
function CopyButton({ label, text }: { label: string; text: () => string }): JSX.Element {
  const [shown, setShown] = useState<string | null>(null);
  const [done, setDone] = useState(false);
  const copy = (): void => {
    const value = text();
    const said = (): void => {
      setDone(true);
      setTimeout(() => setDone(false), 2000);
    };
    const failed = (): void => setShown(value);
    if (navigator.clipboard === undefined) failed();
    else navigator.clipboard.writeText(value).then(said, failed);
  };
  return (
    <>
      <button type="button" onClick={copy}>
        {done ? "Copied" : label}
      </button>
      {shown !== null && (
        <div class="copied" role="dialog" aria-label={label}>
          <textarea readOnly rows={12} value={shown} aria-label={label} />
          <button type="button" onClick={() => setShown(null)}>
            Close
          </button>
        </div>
      )}
    </>
  );
}

/** The choice of a scenario, and what can be taken along. */
export function Header({ session, href }: { session: Session; href: () => string }): JSX.Element {
  const { scenario, lab, stop } = session;
  return (
    <header>
      <label class="scenario">
        Scenario
        <select value={scenario?.name ?? ""} onChange={(event) => session.open(event.currentTarget.value)}>
          {scenario === null && <option value="">a world of your own</option>}
          {GROUPS.map((group) => (
            <optgroup key={group} label={GROUP_NAMES[group]}>
              {SCENARIOS.filter((each) => each.group === group).map(({ name, title }) => (
                <option key={name} value={name}>
                  {title}
                </option>
              ))}
            </optgroup>
          ))}
        </select>
      </label>
      <div class="buttons">
        <button
          type="button"
          class={stop === null ? "primary" : ""}
          onClick={() => session.goToStop(stop === null ? 0 : null)}
        >
          {stop === null ? "Take the tour" : "Leave the tour"}
        </button>
        <button type="button" onClick={() => session.fresh({})}>
          Fresh world
        </button>
        <CopyButton label="Copy link" text={href} />
        <CopyButton label="Copy as TypeScript" text={() => session.program} />
      </div>
      <details class="world">
        <summary>World</summary>
        <World
          session={session}
          key={`${lab.config.pages} ${lab.config.devices} ${lab.config.frames} ${lab.config.limit}`}
        />
      </details>
    </header>
  );
}

const FIELDS = [
  ["pages", "Pages", 4, 64],
  ["devices", "Devices", 1, 2],
  ["frames", "Frames of each device", 1, 64],
  ["limit", "Limit of the group (0: none)", 0, 1024],
] as const;

/** How large a fresh world is. */
function World({ session }: { session: Session }): JSX.Element {
  const { config } = session.lab;
  const [wanted, setWanted] = useState(config);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        session.fresh(wanted);
      }}
    >
      {FIELDS.map(([name, label, min, max]) => (
        <label key={name}>
          {label}
          <input
            type="number"
            min={min}
            max={max}
            required
            value={wanted[name]}
            onInput={(event) => setWanted({ ...wanted, [name]: event.currentTarget.valueAsNumber })}
          />
        </label>
      ))}
      <button type="submit">Make it</button>
    </form>
  );
}

/** The scenario's words, or the stop of the tour with its buttons. */
export function Intro({ session }: { session: Session }): JSX.Element | null {
  const { scenario, stop } = session;
  if (stop === null) return scenario === null ? null : <p class="intro">{scenario.text}</p>;
  const { title, text } = TOUR[stop];
  return (
    <section class="tour" aria-labelledby="tour-title">
      <h2 id="tour-title">{title}</h2>
      <p aria-live="polite">{text}</p>
      <div class="buttons">
        <button type="button" disabled={stop === 0} onClick={() => session.goToStop(stop - 1)}>
          Previous stop
        </button>
        <button
          type="button"
          class="primary"
          disabled={stop === TOUR.length - 1}
          onClick={() => session.goToStop(stop + 1)}
        >
          Next stop
        </button>
        <span>
          {stop + 1} of {TOUR.length}
        </span>
      </div>
    </section>
  );
}
