/** Time models by name, or from a file. */
import { existsSync } from "node:fs";
import { model as validModel } from "#validators";
import { TIME_PRESETS, type TimeModel } from "../sim.ts";
import { readJson } from "./read-json.ts";

/**
 * Returns what `--time` names: a model from a file; a preset's name, or one that does not exist, as it is.
 * Throws UserError for a file that is no model.
 */
export async function openModel(name: string): Promise<TimeModel | string> {
  const isFile = name !== "none" && !Object.hasOwn(TIME_PRESETS, name) && existsSync(name);
  return isFile ? await readJson<TimeModel>(name, validModel, "the model") : name;
}
