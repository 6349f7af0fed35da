/** Reads files of JSON or YAML that a schema describes. */
import { readFileSync } from "node:fs";
import type { Validator } from "#validators";
import { fileError, UserError } from "./errors.ts";

async function parse(path: string, text: string): Promise<unknown> {
  const isYaml = /\.ya?ml$/.test(path);
  try {
    if (!isYaml) return JSON.parse(text);
    const { parse: parseYaml } = await import("yaml");
    return parseYaml(text);
  } catch (error) {
    const what = isYaml ? "YAML" : "JSON";
    throw new UserError(`${path}: this is no ${what}: ${(error as Error).message.split("\n")[0]}`);
  }
}

/** Says what the last value that was checked has wrong: the field and why. `what` is the whole of it. */
export function whyInvalid({ errors }: Validator, what: string): string {
  const { instancePath = "", message = "", params = {} } = errors?.at(0) ?? {};
  const field = (params as { additionalProperty?: string }).additionalProperty;
  const where = instancePath.slice(1).replaceAll("/", ".");
  const wrong = field === undefined ? message : `must not have the field ${field}`;
  return `${where === "" ? what : where} ${wrong}`;
}

/**
 * Reads a file; one whose name ends in .yaml or .yml is YAML. Throws UserError if it is none, or not as the
 * schema says.
 * @param validate says whether the content is as the schema demands
 * @param what what messages call the whole of it
 */
export async function readJson<T>(path: string, validate: Validator, what: string): Promise<T> {
  let text: string;
  try {
    text = readFileSync(path, "utf8").replace(/^\ufeff/, "");
  } catch (error) {
    throw fileError(path, error);
  }
  const content = await parse(path, text);
  if (validate(content)) return content as T;
  throw new UserError(`${path}: ${whyInvalid(validate, what)}`);
}
