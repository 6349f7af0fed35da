/** The machine and its policies. */
import { useState } from "preact/hooks";
import type { JSX } from "preact";
import { MANAGED_EVICTIONS, MANAGED_PLACEMENTS, MANAGED_PREFETCHERS } from "../../src/sim/managed-config.ts";
import { EVICTIONS, MEMORY_MODELS, PLACEMENTS, PREFETCHERS, TIME_MODELS } from "../../src/sim/names.ts";
import { ChoiceField, TextField, type FormProps } from "./field.tsx";
import { isField, read, written, type Config } from "./question.ts";

/** Fields that the form has of their own. */
const OWN = [
  "trace",
  "workload",
  "format",
  "offload",
  "memoryModel",
  "deviceMemory",
  "systemMemory",
  "placement",
  "evict",
  "prefetch",
  "time",
];

/** Choices with a number in the place of N. */
function numbered(choices: Readonly<Record<string, string>>): Record<string, string> {
  const number: Record<string, number> = { "sequential:N": 8, "density:N": 51 };
  const entries = Object.entries(choices).map(([name, about]) => {
    const n = number[name];
    return n === undefined ? [name, about] : [name.replace("N", String(n)), about.replace("N", String(n))];
  });
  return Object.fromEntries(entries) as Record<string, string>;
}

/** All other fields of a config, one a line. */
function otherFields(config: Config): string {
  return Object.entries(config)
    .filter(([name]) => !OWN.includes(name))
    .map(([name, value]) => `${name}=${written(value)}`)
    .join("\n");
}

/** Reads the lines. Returns the fields, or what is wrong. */
function fieldsIn(text: string): Config | string {
  const fields: Record<string, unknown> = {};
  for (const line of text.split("\n").map((one) => one.trim())) {
    if (line === "") continue;
    const [name, ...rest] = line.split("=");
    if (rest.length === 0) return `${line}: expected FIELD=VALUE`;
    if (!isField(name.trim())) return `${name}: there is no such field`;
    fields[name.trim()] = read(rest.join("=").trim());
  }
  return fields;
}

function OtherFields({ config, change }: FormProps): JSX.Element {
  const [typed, setTyped] = useState<string | null>(null);
  const [wrong, setWrong] = useState("");
  const enter = (text: string): void => {
    setTyped(text);
    const fields = fieldsIn(text);
    setWrong(typeof fields === "string" ? fields : "");
    if (typeof fields === "string") return;
    const own = Object.fromEntries(Object.entries(config).filter(([name]) => OWN.includes(name)));
    change({ ...own, ...fields });
  };
  return (
    <details class="more">
      <summary>All other fields</summary>
      <div class="field">
        <label for="other">One a line, as FIELD=VALUE</label>
        <textarea
          id="other"
          rows={4}
          spellcheck={false}
          value={typed ?? otherFields(config)}
          aria-describedby="other-about"
          aria-invalid={wrong !== ""}
          onInput={({ currentTarget }) => enter(currentTarget.value)}
          onBlur={() => wrong === "" && setTyped(null)}
        />
        <p class="hint" id="other-about">
          {wrong === "" ? (
            <>
              Such as <code>thrashing=off</code>, <code>seed=3</code> or <code>roi=[1000,5000]</code>. They
              are those of <a href="../docs/run/">heteromem run</a>.
            </>
          ) : (
            <strong class="bad">{wrong}</strong>
          )}
        </p>
      </div>
    </details>
  );
}

export function MachineForm(form: FormProps): JSX.Element {
  const managed = form.config.memoryModel === "managed";
  const choice = (
    name: string,
    label: string,
    choices: Readonly<Record<string, string>>,
    standard: string,
  ): JSX.Element => <ChoiceField {...form} {...{ name, label, choices, standard }} />;
  const evictions = managed ? { ...MANAGED_EVICTIONS, ...EVICTIONS } : EVICTIONS;
  const prefetchers = managed ? MANAGED_PREFETCHERS : PREFETCHERS;
  return (
    <>
      <fieldset>
        <legend>Machine</legend>
        {choice("memoryModel", "Memory model", MEMORY_MODELS, "hmm")}
        <div class="two">
          <TextField {...form} name="deviceMemory" label="Device memory" placeholder="256MiB" />
          <TextField {...form} name="systemMemory" label="RAM" placeholder="1GiB" />
        </div>
        {choice("time", "Time model", TIME_MODELS, "none")}
      </fieldset>
      <fieldset>
        <legend>Policies</legend>
        {choice("placement", "A device fault", managed ? MANAGED_PLACEMENTS : PLACEMENTS, "migrate")}
        {choice("evict", "Eviction", evictions, managed ? "lrm" : "lru")}
        {choice("prefetch", "Prefetch", numbered(prefetchers), managed ? "density:51" : "cluster64K")}
        <OtherFields {...form} />
      </fieldset>
    </>
  );
}
