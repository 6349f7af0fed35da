import { Fragment, type JSX } from "preact";
import type { CpuEntry, DeviceEntry, DeviceState, LabState, ProcessState } from "../state.ts";
import { FrameChip } from "./frames.tsx";
import type { Session } from "./session.ts";
import { FLAG_LETTERS, KIND_MEANINGS } from "./words.ts";

interface Props {
  readonly session: Session;
  readonly state: LabState;
  readonly changed: ReadonlySet<string>;
  readonly process: ProcessState;
}

/** What the cells of one entry show; undefined: there is none. */
interface Cells<Entry> {
  readonly entry: Entry | undefined;
  readonly state: LabState;
  /** The class of what a step has changed. */
  readonly mark: string;
}

const LEVELS = ["", "PTE", "PMD", "PUD", "PGD"];
/** What one slot of a table of a level covers. */
const COVERS = ["", "4 KiB", "2 MiB", "1 GiB", "512 GiB"];

/** The CPU's tables above the entries, each opened in the one above it. */
function Levels({ process, changed }: { process: ProcessState; changed: ReadonlySet<string> }): JSX.Element {
  const nested = [...process.levels]
    .reverse()
    .reduce<JSX.Element | null>((inner, { level, address, slot }) => {
      const fresh = changed.has(`level.${process.number}.${level}`) ? "new" : "";
      return (
        <details class={`level ${fresh}`} open={level === 4 ? false : true}>
          <summary>
            <b>{LEVELS[level]}</b> from <code>{address}</code>
          </summary>
          <p>
            slot <b>{slot}</b> of 512, each of {COVERS[level]}{" "}
            {level === 1 ? "and on: the entries below" : "leads to"}
          </p>
          {inner}
        </details>
      );
    }, null);
  return <div class="levels">{nested}</div>;
}

/** No entry: a dash to look at, a word to hear. */
function None(): JSX.Element {
  return (
    <>
      <span aria-hidden="true">–</span>
      <span class="hidden">none</span>
    </>
  );
}

/** One entry of the CPU's table, decoded. */
function CpuCells({ entry, state, mark }: Cells<CpuEntry>): JSX.Element {
  if (entry === undefined)
    return (
      <>
        <td class={`empty ${mark}`}>
          <None />
        </td>
        <td class={mark} />
        <td class={mark} />
      </>
    );
  const words = entry.text.split(" ");
  return (
    <>
      <td class={mark}>
        <span class={`kind ${entry.kind}`} title={entry.text}>
          {entry.kind}
        </span>
      </td>
      <td class={`flags ${mark}`}>
        {FLAG_LETTERS.filter(([word]) => words.includes(word)).map(([word, letter]) => (
          <abbr key={letter} title={word}>
            {letter}
          </abbr>
        ))}
      </td>
      <td class={mark}>{entry.frame === 0 ? "" : <FrameChip state={state} frame={entry.frame} />}</td>
    </>
  );
}

/** One entry of a device's table. */
function DeviceCells({ entry, state, mark }: Cells<DeviceEntry>): JSX.Element {
  if (entry === undefined)
    return (
      <>
        <td class={`side empty ${mark}`}>
          <None />
        </td>
        <td class={mark} />
      </>
    );
  return (
    <>
      <td class={`side ${mark}`}>
        <span class="kind present" title={entry.text}>
          {entry.write ? "read, write" : "read"}
        </span>
      </td>
      <td class={mark}>
        <FrameChip state={state} frame={entry.frame} />
      </td>
    </>
  );
}

/** The class of cells that a step has changed. */
const fresh = (changed: ReadonlySet<string>, key: string): string => (changed.has(key) ? "new" : "");

function Head({ devices }: { devices: readonly DeviceState[] }): JSX.Element {
  const several = devices.length > 1;
  return (
    <>
      <colgroup />
      <colgroup span={3} />
      {devices.map(({ number }) => (
        <colgroup key={number} span={2} />
      ))}
      <thead>
        <tr>
          <td />
          <th scope="colgroup" colSpan={3} class="of cpu">
            CPU page table
          </th>
          {devices.map(({ number, lock }) => (
            <th key={number} scope="colgroup" colSpan={2} class={`of side device${number}`}>
              Device {several ? `${number} ` : "page "}table
              {lock !== "" && <small> lock held</small>}
            </th>
          ))}
        </tr>
        <tr>
          <th scope="col">page</th>
          <th scope="col">entry</th>
          <th scope="col">flags</th>
          <th scope="col">frame</th>
          {devices.map(({ number }) => (
            <Fragment key={number}>
              <th scope="col" class="side">
                entry
              </th>
              <th scope="col">frame</th>
            </Fragment>
          ))}
        </tr>
      </thead>
    </>
  );
}

/** The tables of a process side by side, a row for each page. A page's number selects it. */
export function PageTables({ session, state, changed, process }: Props): JSX.Element {
  const { first, last, process: chosen } = session.selection;
  const { number } = process;
  const id = `process-${number}`;
  const title = state.processes.length > 1 ? `Page tables of process ${number}` : "Page tables";
  return (
    <section class="tables" aria-labelledby={id}>
      <h3 id={id}>{title}</h3>
      <Levels process={process} changed={changed} />
      <div class="rows" tabIndex={0} role="group" aria-labelledby={id}>
        <table aria-labelledby={id}>
          <Head devices={state.devices} />
          <tbody>
            {Array.from({ length: session.lab.config.pages }, (_, page) => {
              const selected = number === chosen && page >= first && page <= last;
              return (
                <tr key={page} class={selected ? "selected" : ""}>
                  <th scope="row">
                    <button
                      type="button"
                      aria-pressed={selected}
                      aria-label={`Select page ${page}`}
                      onClick={(event) => {
                        session.choose({ process: number });
                        session.select(page, event.shiftKey);
                      }}
                    >
                      {page}
                    </button>
                  </th>
                  <CpuCells
                    entry={process.entries.find((entry) => entry.page === page)}
                    state={state}
                    mark={fresh(changed, `cpu.${number}.${page}`)}
                  />
                  {state.devices.map((device) => (
                    <DeviceCells
                      key={device.number}
                      entry={entriesOf(device, number).find((entry) => entry.page === page)}
                      state={state}
                      mark={fresh(changed, `device.${device.number}.${number}.${page}`)}
                    />
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function entriesOf(device: DeviceState, process: number): readonly DeviceEntry[] {
  return device.tables.find((each) => each.process === process)?.entries ?? [];
}

/** What the words and letters of the tables mean, as far as the tables have them. */
export function Legend({ state }: { state: LabState }): JSX.Element {
  const there = new Set(state.processes.flatMap(({ entries }) => entries.map(({ kind }) => kind)));
  return (
    <div class="legend">
      <p>
        W writable, Y young (used), D dirty (written), X exclusive to the process. Select pages by their
        number, and with Shift up to there.
      </p>
      <dl>
        {[...there].map((kind) => (
          <Fragment key={kind}>
            <dt class={`kind ${kind}`}>{kind}</dt>
            <dd>{KIND_MEANINGS[kind]}</dd>
          </Fragment>
        ))}
      </dl>
    </div>
  );
}
