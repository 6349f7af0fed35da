/** Bundles the command, for dist/ and for tests. */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { buildEngine } from "./build-engine.mjs";
import { buildValidators } from "./build-validators.mjs";
import { list, moveInto, step, writeAtomic } from "./build-step.mjs";

const COMMAND = "src/cli/main.ts";
/** What threads of the command's pool start with: the pool looks for worker.js beside the command. */
const POOL_WORKER = "node_modules/piscina/dist/worker.js";
/** What only the queue of a sweep needs; users install it. */
const OPTIONAL = ["bullmq", "ioredis", "@napi-rs/nice"];
/** The module of the zstd compressor, which lies beside the command. */
const ZSTD = "node_modules/@bokuweb/zstd-wasm/dist/common/zstd.wasm";
/** The modules as text, which the package has beside its code. */
export const MODULES = ["build/hmm.wasm.js", "build/text.wasm.js", "build/workload.wasm.js"];
/** What says how TypeScript becomes the command, and the command itself. */
const INPUTS = ["package.json", "package-lock.json", "tools/build-command.mjs"];
const TEST_FOLDER = "build/test/command";

/**
 * Bundles the command into a folder, with what it loads from beside itself. Returns the paths of all files in
 * it.
 */
export async function bundleCommand(outdir) {
  const { build } = await import("esbuild");
  // CommonJS packages in the bundle call require() for Node's own modules, and look for files beside them.
  const banner = `#!/usr/bin/env node
import { createRequire as __createRequire } from "node:module";
import { fileURLToPath as __fileURLToPath } from "node:url";
const require = __createRequire(import.meta.url);
const __dirname = __fileURLToPath(new URL(".", import.meta.url));`;
  const bytes = {
    name: "bytes",
    setup: ({ onResolve }) =>
      onResolve({ filter: /^#\w+\.wasm$/ }, ({ path }) => ({
        path: `./${path.slice(1)}.js`,
        external: true,
      })),
  };
  const result = await build({
    bundle: true,
    format: "esm",
    target: "node20",
    outdir,
    entryPoints: { cli: COMMAND, worker: POOL_WORKER },
    external: OPTIONAL,
    platform: "node",
    banner: { js: banner },
    plugins: [bytes],
    sourcemap: true,
    sourcesContent: false,
    legalComments: "none",
    metafile: true,
  });
  for (const file of MODULES) writeAtomic(join(outdir, basename(file)), readFileSync(file));
  writeAtomic(join(outdir, "zstd.wasm"), readFileSync(ZSTD));
  return Object.keys(result.metafile.inputs);
}

/**
 * Bundles the command for tests, unless it is there and nothing of it has changed. Needs the modules and the
 * page of tools/build.mjs. Returns the path of the command.
 */
export async function buildTestCommand() {
  await buildEngine();
  await buildValidators();
  const inputs = [
    ...INPUTS,
    ...MODULES,
    "build/page.js",
    "build/engine.js",
    "build/validators.js",
    ...["src", "assembly/abi", "assembly/uapi"].flatMap((folder) => list(folder, ".ts")),
  ];
  const command = `${TEST_FOLDER}/cli.js`;
  await step("test-command", inputs, [command], async () => {
    const staging = `build/test/.command-${process.pid}`;
    await bundleCommand(staging);
    moveInto(staging, TEST_FOLDER);
  });
  return command;
}
