/** The command under test, bundled as in the published package and run as its users run it. */
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import * as assert from "uvu/assert";
import type { RunReport } from "../../src/cli/report.ts";
import { buildTestCommand } from "../../tools/build-command.mjs";

/** The folder of the tests' files, which goes when the process ends. */
export const folder = mkdtempSync(join(tmpdir(), "heteromem-cli-"));
/** The bundled command. */
export const command = resolve(await buildTestCommand());

process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

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
