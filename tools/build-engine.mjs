/**
 * The digest of what decides a job's figures: build/engine.js has it. It is made of the modules' bytes and of
 * the code that a worker runs, bundled and without comments and names, so that it is the same on every
 * machine, and a change that no job could notice leaves it.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { build } from "esbuild";
import { list, step, writeAtomic } from "./build-step.mjs";

const TASK = "src/cli/sweep/task.ts";
const MODULES = ["build/hmm.wasm", "build/text.wasm", "build/workload.wasm"];
const OUTPUT = "build/engine.js";

/** Returns the text of build/engine.js for these modules. */
export async function engineModule(modules = MODULES) {
  const { outputFiles } = await build({
    entryPoints: [TASK],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node20",
    legalComments: "none",
    external: ["#*"],
  });
  const hash = createHash("sha256");
  for (const file of modules) hash.update(readFileSync(file)).update("\0");
  hash.update(outputFiles[0].contents);
  return `export default ${JSON.stringify(hash.digest("hex"))};\n`;
}

/** Writes build/engine.js where all modules are there, unless nothing of it has changed. */
export async function buildEngine() {
  if (!MODULES.every((file) => existsSync(file))) return;
  const sources = ["src", "assembly/abi", "assembly/uapi"].flatMap((folder) => list(folder, ".ts"));
  const inputs = ["package-lock.json", "tools/build-engine.mjs", ...MODULES, ...sources];
  await step("engine", inputs, [OUTPUT], async () => writeAtomic(OUTPUT, await engineModule()));
}
