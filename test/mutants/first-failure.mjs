/**
 * Preloaded (node --import) before tools/test-file.mjs: a test that fails ends the process at once, and its suite, name
 * and error go to file descriptor 3 as JSON. For that, what imports uvu gets uvu.mjs. This module is loaded twice: by
 * the process, and by Node's thread for module hooks.
 */
import { register } from "node:module";
import { isMainThread } from "node:worker_threads";

const WRAPPER = new URL("uvu.mjs", import.meta.url).href;

if (isMainThread) register(import.meta.url);

export function resolve(specifier, context, next) {
  if (specifier === "uvu" && context.parentURL !== WRAPPER) return { url: WRAPPER, shortCircuit: true };
  return next(specifier, context);
}
