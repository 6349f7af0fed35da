/**
 * Checks a time model as far as a simulation depends on it. `heteromem run` checks a file by its schema
 * before (schema/model.schema.json); this check holds for models that programs make, too.
 */
import { ConfigError } from "../config-error.ts";
import { MODEL_SCHEMA, type TimeModel } from "./model-file.ts";
import { KINDS, RATE_UNITS, TIME_UNITS } from "./quantity.ts";

const OTHER_UNITS = ["1/KiB", "link times", "entries", "ways", "KiB", "%"];
const UNITS: readonly string[] = [...Object.keys(TIME_UNITS), ...Object.keys(RATE_UNITS), ...OTHER_UNITS];

function isQuantity(value: object): value is Record<"value" | "unit" | "kind" | "source", unknown> {
  return "value" in value;
}

/** Throws for the first number of a part that has no source, no unit, or a value that cannot be. */
function checkNumbers(part: unknown, path: string): void {
  if (typeof part === "number")
    throw new ConfigError("time", path, "a number with its unit and source: { value, unit, kind, source }");
  if (typeof part !== "object" || part === null) return;
  if (!isQuantity(part)) {
    for (const [key, inner] of Object.entries(part)) checkNumbers(inner, `${path}.${key}`);
    return;
  }
  const { value, unit, kind, source } = part;
  if (typeof value !== "number" || !Number.isFinite(value) || value < 0)
    throw new ConfigError("time", `${path}.value ${String(value)}`, "a number from 0 on");
  if (typeof unit !== "string" || !UNITS.includes(unit))
    throw new ConfigError("time", `${path}.unit ${String(unit)}`, UNITS.join(" or "));
  if (unit in RATE_UNITS && value === 0) throw new ConfigError("time", `${path}.value 0`, "a rate above 0");
  if (typeof kind !== "string" || !Object.hasOwn(KINDS, kind))
    throw new ConfigError("time", `${path}.kind ${String(kind)}`, Object.keys(KINDS).join(" or "));
  if (typeof source !== "string" || source === "")
    throw new ConfigError("time", `${path}.source`, "where the number comes from");
}

/** Returns the model if it can be used. Throws ConfigError for what is wrong with it. */
export function checkModel(model: unknown): TimeModel {
  if (typeof model !== "object" || model === null)
    throw new ConfigError("time", model, "a preset's name, or a time model");
  const { schema, name, machine: _machine, ...parts } = model as TimeModel;
  if (schema !== MODEL_SCHEMA) throw new ConfigError("time", `schema ${String(schema)}`, MODEL_SCHEMA);
  if (typeof name !== "string" || name === "")
    throw new ConfigError("time", `name ${String(name)}`, "a name");
  for (const [key, part] of Object.entries(parts)) checkNumbers(part, key);
  for (const { entries, ways } of (model as TimeModel).translation?.levels ?? []) {
    const each = ways?.value ?? entries.value;
    if (!Number.isInteger(entries.value) || !(entries.value % each === 0))
      throw new ConfigError("time", `translation: ${entries.value} entries`, "a multiple of the ways");
  }
  return model as TimeModel;
}
