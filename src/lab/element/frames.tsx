import type { JSX } from "preact";
import { count } from "../outcome.ts";
import type { FrameState, LabState } from "../state.ts";

/** How many colors there are for contents. */
const COLORS = 8;

/** The class of a frame's contents. */
function contentClass(value: number | null): string {
  return value === null ? "free" : value === 0 ? "zero" : `v${((value - 1) % COLORS) + 1}`;
}

/** A frame's number in the color of its contents. */
export function FrameChip({ state, frame }: { state: LabState; frame: number }): JSX.Element {
  const known = state.frames.find((each) => each.frame === frame);
  if (known === undefined) return <span class="chip zero">zero page</span>;
  return <span class={`chip ${contentClass(known.value)} ${known.where}`}>{frame}</span>;
}

function describe({ frame, refs, maps, flags, value }: FrameState): string {
  if (value === null) return `frame ${frame}: free`;
  const mapped = `mapped ${count(maps, "time")}`;
  return `frame ${frame}: contents ${value}, ${count(refs, "reference")}, ${mapped}, ${flags}`;
}

function cellClass({ frame, value, flags }: FrameState, changed: ReadonlySet<string>): string {
  const fresh = changed.has(`frame.${frame}`) ? "new" : "";
  return `${contentClass(value)} ${fresh} ${flags.includes("locked") ? "locked" : ""}`;
}

/** The frames of one memory, with their contents as colors and numbers. */
function Memory(props: {
  title: string;
  frames: readonly FrameState[];
  changed: ReadonlySet<string>;
  where: string;
}): JSX.Element {
  const { title, frames, changed, where } = props;
  const used = frames.filter(({ value }) => value !== null).length;
  return (
    <div class={`memory ${where}`}>
      <h4>
        {title}
        <span>
          {used} of {frames.length} used
        </span>
      </h4>
      <ul aria-label={`${title}, ${used} of ${frames.length} frames used`}>
        {frames.map((each) => (
          <li key={each.frame} class={cellClass(each, changed)} title={describe(each)}>
            <span class="hidden">{describe(each)}</span>
            <span aria-hidden="true">{each.value ?? ""}</span>
            <small aria-hidden="true">{each.frame}</small>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** All frames: system memory, then each device's. */
export function Frames({ state, changed }: { state: LabState; changed: ReadonlySet<string> }): JSX.Element {
  const of = (where: string): FrameState[] => state.frames.filter((each) => each.where === where);
  return (
    <section class="frames" aria-labelledby="frames-title">
      <h3 id="frames-title">Frames and their contents</h3>
      <Memory title="System memory" where="ram" frames={of("ram")} changed={changed} />
      {state.devices.map(({ number }) => (
        <Memory
          key={number}
          title={`Device ${number}`}
          where={`device${number}`}
          frames={of(`device${number}`)}
          changed={changed}
        />
      ))}
      <p class="legend">
        Large and in color: what was written to the frame. Small: the frame's number. A bar: the frame is
        locked. <b>+</b>: changed by this step.
      </p>
    </section>
  );
}
