/** Where the accesses come from: a workload, a trace that comes with the page, or the user's own. */
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import { WORKLOADS } from "../../src/sim/workload/index.ts";
import { TextField, withField, type FormProps } from "./field.tsx";
import { BUNDLED, isBundled, type Config } from "./question.ts";
import { WorkloadForm } from "./workload-form.tsx";

type Origin = "workload" | "bundled" | "file";
const ORIGINS: Record<Origin, string> = { workload: "Workload", bundled: "Recorded", file: "Your trace" };

function originOf({ workload, trace }: Config): Origin {
  if (workload !== undefined) return "workload";
  return isBundled(trace) ? "bundled" : "file";
}

/** Returns a config with accesses of another origin. */
function withOrigin(config: Config, origin: Origin, file: File | null): Config {
  const { workload: _workload, trace: _trace, offload: _offload, format: _format, ...rest } = config;
  if (origin === "workload") return { workload: Object.keys(WORKLOADS)[0], ...rest };
  if (origin === "file") return { trace: file?.name ?? "", ...rest };
  const [{ trace, offload }] = BUNDLED;
  return { trace, offload, ...rest };
}

interface AccessesProps extends FormProps {
  file: File | null;
  take: (file: File) => void;
}

function OwnTrace({ config, change, file, take }: AccessesProps): JSX.Element {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <div class="field">
        <input
          ref={input}
          id="file"
          type="file"
          class="unseen"
          aria-label="Choose a trace"
          onChange={({ currentTarget }) => currentTarget.files?.[0] && take(currentTarget.files[0])}
        />
        <label class="button choose" for="file">
          {file === null ? "Choose or drop a trace" : file.name}
        </label>
        <p class="hint">
          {file === null && typeof config.trace === "string" && config.trace !== ""
            ? `This address is about ${config.trace}: choose that file. `
            : ""}
          Files never leave your machine.
        </p>
      </div>
      <TextField {...{ config, change }} name="format" label="Format" placeholder="its content tells" />
      <div class="field">
        <label for="offload">Code that runs on the device</label>
        <input
          id="offload"
          value={((config.offload ?? []) as string[]).join(" ")}
          placeholder="NAME=0xSTART-0xEND"
          autocomplete="off"
          spellcheck={false}
          onInput={({ currentTarget: { value } }) => {
            const ranges = value.split(/\s+/).filter((one) => one !== "");
            change(withField(config, "offload", ranges.length === 0 ? "" : ranges));
          }}
        />
      </div>
    </>
  );
}

export function AccessesForm(props: AccessesProps): JSX.Element {
  const { config, change, file } = props;
  const origin = originOf(config);
  return (
    <fieldset>
      <legend>Accesses</legend>
      <div class="segments" role="radiogroup" aria-label="Where the accesses come from">
        {(Object.keys(ORIGINS) as Origin[]).map((one) => (
          <label key={one}>
            <input
              type="radio"
              name="origin"
              value={one}
              checked={one === origin}
              onChange={() => change(withOrigin(config, one, file))}
            />
            <span>{ORIGINS[one]}</span>
          </label>
        ))}
      </div>
      {origin === "workload" ? <WorkloadForm config={config} change={change} /> : null}
      {origin === "file" ? <OwnTrace {...props} /> : null}
      {origin === "bundled" ? (
        <div class="field">
          <label for="bundled">Trace</label>
          <select
            id="bundled"
            value={String(config.trace)}
            onChange={({ currentTarget: { selectedIndex } }) => {
              const { trace, offload } = BUNDLED[selectedIndex];
              change({ ...config, trace, offload });
            }}
          >
            {BUNDLED.map(({ trace, about }) => (
              <option key={trace} value={trace}>
                {about}
              </option>
            ))}
          </select>
        </div>
      ) : null}
    </fieldset>
  );
}
