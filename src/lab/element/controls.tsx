import type { JSX } from "preact";
import { VERBS, type Verb } from "../operation.ts";
import type { Session } from "./session.ts";

/** The key that carries an operation out. */
export const KEYS: Readonly<Partial<Record<Verb, string>>> = {
  r: "r",
  w: "w",
  fork: "f",
  discard: "x",
  unmap: "u",
  out: "o",
  dr: "d",
  dw: "e",
  m: "m",
  to: "t",
  back: "b",
};

/** What the buttons say. */
const SHORT: Readonly<Record<Verb, string>> = {
  r: "Read",
  w: "Write",
  fork: "Fork",
  ro: "Read-only",
  rw: "Read-write",
  none: "No access",
  unmap: "munmap",
  discard: "DONTNEED",
  out: "Swap out",
  huge: "HUGEPAGE",
  pin: "Pin",
  unpin: "Unpin",
  dr: "Read",
  dw: "Write",
  m: "Mirror",
  mw: "Mirror to write",
  to: "Migrate to device",
  back: "Migrate back",
  evict: "Evict all",
  excl: "Make exclusive",
};

const MAIN: readonly Verb[] = ["r", "w", "fork", "discard", "unmap"];
const VERB_LIST = Object.keys(VERBS) as Verb[];
const CPU = VERB_LIST.filter((verb) => VERBS[verb].by === "cpu");
const DRIVER = VERB_LIST.filter((verb) => VERBS[verb].by === "driver");

function Buttons({ session, verbs }: { session: Session; verbs: readonly Verb[] }): JSX.Element {
  return (
    <div class="buttons">
      {verbs.map((verb) => {
        const key = KEYS[verb];
        return (
          <button
            key={verb}
            type="button"
            onClick={() => session.do(verb)}
            aria-keyshortcuts={key}
            data-key={key}
            title={`${VERBS[verb].name}${key === undefined ? "" : ` (${key})`}`}
            aria-label={`${SHORT[verb]}: ${VERBS[verb].name}`}
          >
            {SHORT[verb]}
          </button>
        );
      })}
    </div>
  );
}

/** A number of a page. */
function PageField(props: {
  label: string;
  value: number;
  max: number;
  onChange: (page: number) => void;
}): JSX.Element {
  const { label, value, max, onChange } = props;
  return (
    <label>
      {label}
      <input
        type="number"
        min={0}
        max={max}
        value={value}
        onInput={(event) => {
          const page = event.currentTarget.valueAsNumber;
          if (Number.isInteger(page) && page >= 0 && page <= max) onChange(page);
        }}
      />
    </label>
  );
}

/** A choice of one number: a process or a device. */
function Choice(props: {
  label: string;
  of: readonly number[];
  value: number;
  onChange: (n: number) => void;
}): JSX.Element {
  const { label, of, value, onChange } = props;
  return (
    <label>
      {label}
      <select value={value} onChange={(event) => onChange(Number(event.currentTarget.value))}>
        {of.map((n) => (
          <option key={n} value={n}>
            {n}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Which pages, process and device the next operation concerns. */
function SelectionFields({ session }: { session: Session }): JSX.Element {
  const { selection, lab } = session;
  const { first, last, process, device } = selection;
  const max = lab.config.pages - 1;
  const processes = lab.shown.state.processes.map(({ number }) => number);
  const devices = lab.shown.state.devices.map(({ number }) => number);
  return (
    <div class="selection">
      <PageField
        label="Page"
        value={first}
        max={max}
        onChange={(page) => session.choose({ first: page, last: Math.max(page, last) })}
      />
      <PageField
        label="to"
        value={last}
        max={max}
        onChange={(page) => session.choose({ last: page, first: Math.min(first, page) })}
      />
      {processes.length > 1 && (
        <Choice
          label="Process"
          of={processes}
          value={process}
          onChange={(n) => session.choose({ process: n })}
        />
      )}
      {devices.length > 1 && (
        <Choice label="Device" of={devices} value={device} onChange={(n) => session.choose({ device: n })} />
      )}
    </div>
  );
}

/** The operations, and the pages that they concern. */
export function Controls({ session }: { session: Session }): JSX.Element {
  return (
    <section class="controls" aria-labelledby="controls-title">
      <h3 id="controls-title">Operations</h3>
      <SelectionFields session={session} />
      <h4>The CPU</h4>
      <Buttons session={session} verbs={MAIN} />
      <details class="more">
        <summary>More of the CPU</summary>
        <Buttons session={session} verbs={CPU.filter((verb) => !MAIN.includes(verb))} />
      </details>
      <h4>The driver and its device</h4>
      <Buttons session={session} verbs={DRIVER} />
      <label class="check">
        <input
          type="checkbox"
          checked={session.queueing}
          onChange={(event) => {
            session.queueing = event.currentTarget.checked;
            session.changed();
          }}
        />
        Only queue operations, to interleave their steps
      </label>
    </section>
  );
}
