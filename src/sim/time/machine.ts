/** What a time model says about the machine: it fixes fields of the config, and has no use for others. */
import { ConfigError } from "../config-error.ts";
import { checkModel } from "./check-model.ts";
import type { MachineField, TimeModel } from "./model-file.ts";
import { TIME_PRESETS } from "./presets/index.ts";

/** Returns the model that a config asks for; null: none. Throws ConfigError. */
export function timeModelOf(value: unknown): TimeModel | null {
  if (value === undefined || value === "none") return null;
  if (typeof value !== "string") return checkModel(value);
  if (!Object.hasOwn(TIME_PRESETS, value))
    throw new ConfigError(
      "time",
      value,
      `none or ${Object.keys(TIME_PRESETS).join(" or ")}, or a model's file`,
    );
  return TIME_PRESETS[value];
}

/** Whether the model of a config, which need not be checked yet, has a time for instructions. */
export function timesInstructions(value: unknown): boolean {
  const model = typeof value === "string" ? TIME_PRESETS[value] : (value as TimeModel | null | undefined);
  return model?.cpu?.instruction !== undefined || model?.device?.instruction !== undefined;
}

/** Returns the config with the fields that the model fixes. Throws ConfigError for a contradiction. */
export function withMachine<C extends Partial<Record<MachineField, unknown>>>(
  config: C,
  model: TimeModel | null,
): C {
  if (model?.machine === undefined) return config;
  const { set, without = [] } = model.machine;
  for (const [field, value] of Object.entries(set)) {
    const given: unknown = config[field as MachineField];
    if (given !== undefined && given !== value)
      throw new ConfigError(field, given, `${String(value)}, which the machine ${model.name} has`);
  }
  const useless = without.find((field) => config[field] !== undefined);
  if (useless !== undefined)
    throw new ConfigError(
      useless,
      config[useless],
      `none of it: the machine ${model.name} has no use for it`,
    );
  return { ...config, ...set };
}
