/** A workload and its parameters. */
import type { JSX } from "preact";
import { WORKLOADS } from "../../src/sim/workload/index.ts";
import type { Parameter } from "../../src/sim/workload/spec.ts";
import type { FormProps } from "./field.tsx";

/** The parts of a workload's text. What does not belong there is kept: the run says what is wrong. */
function partsOf(spec: string): { name: string; given: Map<string, string> } {
  const [name, ...rest] = spec.split(":");
  const items = rest.join(":").split(",");
  const pairs = items.filter((item) => item !== "").map((item) => item.split("=", 2));
  return { name, given: new Map(pairs.map(([key, value = ""]) => [key, value])) };
}

function specOf(name: string, given: ReadonlyMap<string, string>): string {
  const items = [...given].filter(([, value]) => value !== "").map(([key, value]) => `${key}=${value}`);
  return items.length === 0 ? name : `${name}:${items.join(",")}`;
}

/** A default as one would type it. */
function typed(parameter: Parameter): string {
  const { kind, default: value } = parameter;
  if (kind !== "bytes") return String(value);
  const bytes = Number(value);
  if (bytes % 2 ** 20 === 0) return `${bytes / 2 ** 20}MiB`;
  return bytes % 1024 === 0 ? `${bytes / 1024}KiB` : String(bytes);
}

export function WorkloadForm({ config, change }: FormProps): JSX.Element {
  const { name, given } = partsOf(String(config.workload));
  const workload = Object.hasOwn(WORKLOADS, name) ? WORKLOADS[name] : null;
  const set = (key: string, value: string): void =>
    change({ ...config, workload: specOf(name, new Map(given).set(key, value.trim())) });
  return (
    <>
      <div class="field">
        <label for="workload">Workload</label>
        <select
          id="workload"
          value={name}
          aria-describedby="workload-about"
          onChange={({ currentTarget: { value } }) => change({ ...config, workload: value })}
        >
          {Object.keys(WORKLOADS).map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
        <p class="hint" id="workload-about">
          {workload === null ? `There is no workload named ${name}.` : workload.about}
        </p>
      </div>
      <div class="two">
        {Object.entries(workload?.parameters ?? {}).map(([key, parameter]) => (
          <div class="field" key={`${name} ${key}`}>
            <label for={`parameter-${key}`} title={parameter.about}>
              {key}
            </label>
            <input
              id={`parameter-${key}`}
              value={given.get(key) ?? ""}
              placeholder={typed(parameter)}
              title={parameter.about}
              autocomplete="off"
              onInput={({ currentTarget: { value } }) => set(key, value)}
            />
          </div>
        ))}
      </div>
    </>
  );
}
