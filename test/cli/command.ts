/** The command under test, bundled as in the published package. */
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { MessageChannel, receiveMessageOnPort, SHARE_ENV, Worker } from "node:worker_threads";
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

/** Commands that only run in a process of their own: they make threads, or listen for signals. */
const OWN_PROCESS = ["sweep", "worker", "bench"];

/**
 * Runs the command. The line about the time is taken out of stderr. A command that reads no standard input
 * and writes no file to standard output runs in a thread that stays, which saves the start of a process.
 */
export function heteromem(args: string[], input?: Uint8Array): Outcome {
  const thread = input === undefined && !args.includes("-") && !OWN_PROCESS.includes(args[0]);
  if (!thread) return spawnHeteromem(args, input);
  const { status, stdout, stderr } = runInThread(args);
  return { status, stdout, stderr: stderr.replace(SPEED, "") };
}

/** Runs the command as its users do, in a process of its own. */
export function spawnHeteromem(args: string[], input?: Uint8Array): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], {
    encoding: "utf8",
    input,
  });
  return { status, stdout, stderr: stderr.replace(SPEED, "") };
}

let ask: ((args: string[]) => Outcome) | undefined;

/** Runs the command in the thread, which the first call starts. */
function runInThread(args: string[]): Outcome {
  ask ??= startThread();
  return ask(args);
}

function startThread(): (args: string[]) => Outcome {
  const { port1: port, port2 } = new MessageChannel();
  const turn = new Int32Array(new SharedArrayBuffer(4));
  const workerData = { command: pathToFileURL(command).href, port: port2, turn };
  const thread = new URL("command-thread.mjs", import.meta.url);
  new Worker(thread, { workerData, transferList: [port2], execArgv: [], env: SHARE_ENV }).unref();
  return (args) => {
    turn[0] = 0;
    port.postMessage(args);
    Atomics.wait(turn, 0, 0);
    return receiveMessageOnPort(port)!.message as Outcome;
  };
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
