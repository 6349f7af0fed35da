/** The command under test, bundled as in the published package and run as its users run it. */
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import * as assert from "uvu/assert";
import type { RunReport } from "../../src/cli/report.ts";

export const folder = mkdtempSync(join(tmpdir(), "heteromem-cli-"));
/** The bundled command. */
export const command = join(folder, "cli.js");

/** Bundles the command, in a suite's `before`. */
export async function setUp(): Promise<void> {
  await build({
    entryPoints: { cli: "src/cli/main.ts", worker: "node_modules/piscina/dist/worker.js" },
    outdir: folder,
    external: ["bullmq", "ioredis", "@napi-rs/nice"],
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    logLevel: "warning",
    banner: {
      js:
        'import { createRequire as __cr } from "node:module"; const require = __cr(import.meta.url); ' +
        `const __dirname = ${JSON.stringify(folder)};`,
    },
  });
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  symlinkSync(resolve("node_modules"), join(folder, "node_modules")); // packages that users install
  copyFileSync("node_modules/@bokuweb/zstd-wasm/dist/common/zstd.wasm", join(folder, "zstd.wasm"));
}

/** Removes the bundle, in a suite's `after`. */
export function tearDown(): void {
  rmSync(folder, { recursive: true });
}

export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** The line about the time that a run took, which differs from run to run. */
const SPEED = /^\d+\.\d\d s, [\d,]+ accesses a second\n/m;

/** Runs the command. The line about the time is taken out of stderr. */
export function heteromem(args: string[], input?: Uint8Array): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], {
    encoding: "utf8",
    input,
  });
  return { status, stdout, stderr: stderr.replace(SPEED, "") };
}

export function startHeteromem(args: string[]): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, [command, ...args]);
}

/** Writes a file into the tests' folder, and returns its path. */
export function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** Runs `heteromem run`. */
export function run(...args: string[]): Outcome {
  return heteromem(["run", ...args]);
}

/** Runs `heteromem run --json`, which must succeed, and returns its report. */
export function report(...args: string[]): RunReport {
  const { status, stdout, stderr } = run(...args, "--json");
  assert.is(stderr, "");
  assert.is(status, 0);
  return JSON.parse(stdout) as RunReport;
}
