/**
 * Preloaded (node --import) before tools/test-file.mjs. A failing test ends the process at once and writes
 * its suite, name and error to file descriptor 3 as JSON: every import of uvu gets uvu.mjs. Node loads this
 * module twice, in the process and in its thread for module hooks.
 */
import { register } from "node:module";
import { isMainThread } from "node:worker_threads";

const WRAPPER = new URL("uvu.mjs", import.meta.url).href;

if (isMainThread) register(import.meta.url);

export function resolve(specifier, context, next) {
  if (specifier === "uvu" && context.parentURL !== WRAPPER) return { url: WRAPPER, shortCircuit: true };
  return next(specifier, context);
}
