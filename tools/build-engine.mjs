/**
 * The digest of what decides a job's figures: build/engine.js has it. It is made of the modules' bytes and of
 * the code that a worker runs, bundled and without comments and names, so that it is the same on every
 * machine, and a change that no job could notice leaves it.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { build } from "esbuild";

const TASK = "src/cli/sweep/task.ts";

/** Returns the text of build/engine.js. */
export async function engineModule(modules) {
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
