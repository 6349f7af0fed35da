import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Verb } from "../operation.ts";
import { Controls, KEYS } from "./controls.tsx";
import { Facts, MigrationView } from "./facts.tsx";
import { Frames } from "./frames.tsx";
import { Header, Intro } from "./header.tsx";
import { Race } from "./race.tsx";
import type { Session } from "./session.ts";
import { StepPanel } from "./step-panel.tsx";
import { Legend, PageTables } from "./tables.tsx";
import { Timeline } from "./timeline.tsx";

const VERB_OF_KEY = Object.fromEntries(Object.entries(KEYS).map(([verb, key]) => [key, verb as Verb]));
/** Elements that take letters and arrows themselves. */
const TYPING = ["INPUT", "SELECT", "TEXTAREA"];

/** Steps by arrows, Home and End, and carries operations out by letters. */
function onKey(session: Session, event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  if (event.ctrlKey || event.metaKey || event.altKey || TYPING.includes(target.tagName)) return;
  const { at, steps } = session.lab;
  const places: Record<string, number> = {
    ArrowLeft: at - 1,
    ArrowRight: at + 1,
    Home: 0,
    End: steps.length - 1,
  };
  if (event.key in places) session.goto(places[event.key]);
  else if (event.key in VERB_OF_KEY) session.do(VERB_OF_KEY[event.key]);
  else return;
  event.preventDefault();
}

/** The whole lab. */
export function App({ session, href }: { session: Session; href: () => string }): JSX.Element {
  const [, setVersion] = useState(0);
  useEffect(() => session.subscribe(() => setVersion((version) => version + 1)), [session]);
  const { shown } = session.lab;
  const { state } = shown;
  const changed = new Set(shown.changed);
  return (
    <div class="lab" onKeyDown={(event) => onKey(session, event)}>
      <Header session={session} href={href} />
      <Intro session={session} />
      <Timeline session={session} />
      <div class="stage">
        <StepPanel session={session} />
        <div class={`world-view ${state.processes.length > 1 ? "several" : ""}`}>
          {state.processes.map((process) => (
            <PageTables
              key={process.number}
              session={session}
              state={state}
              changed={changed}
              process={process}
            />
          ))}
          <Legend state={state} />
        </div>
        <div class="memory-view">
          <Frames state={state} changed={changed} />
          {state.migrations.map((migration) => (
            <MigrationView key={migration.id} migration={migration} changed={changed} />
          ))}
          <Facts state={state} changed={changed} />
        </div>
        <div class="doing">
          <Race session={session} />
          <Controls session={session} />
        </div>
      </div>
    </div>
  );
}
