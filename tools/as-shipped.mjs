/**
 * `node --import ./tools/as-shipped.mjs FILE.ts` runs TypeScript that is compiled as tools/build.mjs compiles
 * the package. tsx instead keeps the names of functions and classes with a call for each, which makes a
 * closure 300 ns and an `instanceof` 10 ns slower. A benchmark must not measure that.
 */
import { readFile } from "node:fs/promises";
import { register } from "node:module";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";
import { transform } from "esbuild";

/** A module hook of Node: compiles .ts files. */
export async function load(url, context, next) {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return next(url, context);
  const source = await readFile(fileURLToPath(url), "utf8");
  const options = { loader: "ts", format: "esm", target: "node20.10", sourcemap: "inline", sourcefile: url };
  const { code } = await transform(source, options);
  return { format: "module", source: code, shortCircuit: true };
}

if (isMainThread) register(import.meta.url);
