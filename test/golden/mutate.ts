/** Changes records one field at a time, for tests of the harness. */
import { STRICT_FIELDS } from "./compare.ts";
import type { GoldenRecord, Scenario } from "./records.ts";

export interface MutableField {
  /** The kind of field: `ret`, `st.snap`, … */
  kind: string;
  /** The path under which a difference is reported; for smaps, the first figure. */
  path: string[];
  /** Index into the scenario's lines. */
  index: number;
  strict: boolean;
}

/** Returns every compared field of every record of a scenario. */
export function* mutableFields(scenario: Scenario): Generator<MutableField> {
  for (const [index, line] of scenario.lines.entries()) {
    for (const field of STRICT_FIELDS) {
      if (line[field] !== undefined) yield { kind: field, path: [field], index, strict: true };
    }
    if (line.flt !== undefined) yield { kind: "flt", path: ["flt"], index, strict: false };
    if (line.kpf !== undefined) yield { kind: "kpf", path: ["kpf"], index, strict: false };
    if (line.smaps?.[0] !== undefined) {
      yield { kind: "smaps", path: ["smaps", "0", "Rss"], index, strict: false };
    }
    yield* stateFields(line, index);
  }
}

function* stateFields(line: GoldenRecord, index: number): Generator<MutableField> {
  for (const [pid, state] of Object.entries(line.st)) {
    for (const field of ["rss", "dev", "coh", "vma", "pm"]) {
      if (field === "coh" && state.coh === undefined) continue;
      const strict = field === "rss" || field === "dev" || field === "coh";
      yield { kind: `st.${field}`, path: ["st", pid, field], index, strict };
    }
    for (const handle of Object.keys(state.h)) {
      for (const field of ["snap", "dpt", "inv"]) {
        yield { kind: `st.${field}`, path: ["st", pid, "h", handle, field], index, strict: true };
      }
    }
  }
}

/** Returns a copy of `scenario` with another value of the same kind at `path` of one line. */
export function withChange(scenario: Scenario, index: number, path: string[]): Scenario {
  const copy = structuredClone(scenario);
  let parent = copy.lines[index] as unknown as Record<string, unknown>;
  for (const key of path.slice(0, -1)) parent = parent[key] as Record<string, unknown>;
  const last = path[path.length - 1];
  parent[last] = changed(parent[last]);
  return copy;
}

function changed(value: unknown): unknown {
  if (typeof value === "number") return value + 1;
  if (typeof value === "string")
    return value === "" ? "00" : value.replace(/^../, (byte) => (byte === "0f" ? "0e" : "0f"));
  if (!Array.isArray(value)) throw new Error(`cannot change ${JSON.stringify(value)}`);
  if (value.length === 0) return [["clear", 0, 1, 0]];
  return [typeof value[0] === "number" ? value[0] + 1 : 0, ...(value as unknown[]).slice(1)];
}
