/** Reads JSON files that a schema describes. */
import { readFileSync } from "node:fs";
import { fileError, UserError } from "./errors.ts";

/**
 * Reads a file. Throws UserError if it is no JSON, or not as the schema says. The library that validates it
 * is loaded only here.
 * @param what what messages call the whole of it
 */
export async function readJson<T>(path: string, schema: object, what: string): Promise<T> {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, "utf8").replace(/^\ufeff/, ""));
  } catch (error) {
    if (error instanceof SyntaxError) throw new UserError(`${path}: this is no JSON: ${error.message}`);
    throw fileError(path, error);
  }
  const { Ajv } = await import("ajv");
  const ajv = new Ajv({ allowUnionTypes: true, strict: true });
  const validate = ajv.compile<T>(schema);
  if (validate(content)) return content;
  const { instancePath = "", message = "", params = {} } = validate.errors?.at(0) ?? {};
  const field = (params as { additionalProperty?: string }).additionalProperty;
  const where = instancePath.slice(1).replaceAll("/", ".");
  const wrong = field === undefined ? message : `must not have the field ${field}`;
  throw new UserError(`${path}: ${where === "" ? what : where} ${wrong}`);
}
