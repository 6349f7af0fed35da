/** How an axis sets fields of a config, parameters of its workload, and numbers of its time model. */
import { openWorkload, TIME_PRESETS, type TimeModel } from "../sim.ts";
import { splitSpec } from "../sim/workload/spec.ts";
import { WORKLOADS } from "../sim/workload/index.ts";
import { SweepError } from "./error.ts";
import type { RunFields } from "./spec.ts";

/** Opens a time model by its name or file, as `heteromem run --time` does. */
export type OpenModel = (name: string) => TimeModel | string;

/** Returns the workload with a parameter set. Throws SweepError if the config has no workload. */
function withParameter(config: RunFields, name: string, value: unknown): RunFields {
  if (typeof config.workload !== "string")
    throw new SweepError(`axes.workload.${name}: expected a workload in the config`);
  const { name: workload, given } = splitSpec(config.workload);
  given.set(name, String(value));
  return {
    ...config,
    workload: `${workload}:${[...given].map(([key, text]) => `${key}=${text}`).join(",")}`,
  };
}

/** Whether the config's workload has such a parameter. */
export function hasParameter({ workload }: RunFields, name: string): boolean {
  if (typeof workload !== "string") return false;
  const { name: kind } = splitSpec(workload);
  return Object.hasOwn(WORKLOADS, kind) && Object.hasOwn(WORKLOADS[kind].parameters, name);
}

/** Workloads that were asked for last, with all their parameters: a sweep's jobs have few different ones. */
const canonicalTexts = new Map<string, string>();
/** Workloads that are kept. */
const TEXTS_MAX = 256;

/**
 * Returns the workload with all its parameters, so that equal workloads have equal texts. Throws
 * WorkloadError.
 */
export function canonicalWorkload(text: string): string {
  const known = canonicalTexts.get(text);
  if (known !== undefined) return known;
  const { name, parameters } = openWorkload(text);
  const values = Object.entries(parameters).map(([key, value]) => `${key}=${value}`);
  const canonical = `${name}:${values.join(",")}`;
  if (canonicalTexts.size === TEXTS_MAX) canonicalTexts.clear();
  canonicalTexts.set(text, canonical);
  return canonical;
}

/** Returns the model with a number set. A number with a unit keeps the unit. */
function withNumber(config: RunFields, path: string, value: unknown, open: OpenModel): RunFields {
  const named = typeof config.time === "string" ? open(config.time) : config.time;
  const found = typeof named === "string" && Object.hasOwn(TIME_PRESETS, named) ? TIME_PRESETS[named] : named;
  if (typeof found !== "object" || found === null)
    throw new SweepError(`axes.time.${path}: expected a time model in the config`);
  const model = structuredClone(found) as unknown as Record<string, unknown>;
  const keys = path.split(".");
  const last = keys.pop()!;
  let at: Record<string, unknown> = model;
  for (const key of keys) at = (Object.hasOwn(at, key) ? at[key] : {}) as Record<string, unknown>;
  const before = Object.hasOwn(at, last) ? at[last] : undefined;
  if (before === undefined) throw new SweepError(`axes.time.${path}: the model has no such number`);
  const quantity = typeof before === "object" && before !== null && "value" in before;
  const unit = quantity ? (before as { unit?: unknown }).unit : undefined;
  at[last] = quantity ? { value, unit, kind: "derived", source: "set by the sweep" } : value;
  return { ...config, time: model };
}

/** Returns the config with a field of an axis set. Throws SweepError. */
export function withField(config: RunFields, field: string, value: unknown, open: OpenModel): RunFields {
  const [, part, rest] = /^(workload|time)\.(.+)$/.exec(field) ?? [];
  if (part === "workload") return withParameter(config, rest, value);
  if (part === "time") return withNumber(config, rest, value, open);
  return { ...config, [field]: value };
}
