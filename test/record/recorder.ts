/** Builds programs with the recorder, runs them, and reads the traces that they leave. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, type Test } from "uvu";
import * as assert from "uvu/assert";
import { accesses, readHmt, type Hmt, type HmtRecord } from "../util/hmt.ts";

export const folder = mkdtempSync(join(tmpdir(), "heteromem-record-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

export function has(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

/** The C compilers of this machine, whatever the number in their names. */
export const COMPILERS = ["gcc", "clang", "clang-14"].filter(
  (name, i, all) => has(name, "--version") && !(name === "clang-14" && has(all[1], "--version")),
);

/** Runs a suite's tests once for each compiler; says in one line that there is none. */
export function withCompilers(name: string, tests: (test: Test, compiler: string) => void): void {
  if (COMPILERS.length === 0) {
    const skipped = suite(name);
    skipped.skip("no gcc or clang", () => {});
    skipped.run();
  }
  for (const compiler of COMPILERS) {
    const test = suite(`${name} (${compiler})`);
    tests(test, compiler);
    test.run();
  }
}

/** The suite for tests that this machine cannot run: they are counted as skipped. */
export function skipping(test: Test): Test {
  return ((name: string) => test.skip(name, () => {})) as unknown as Test;
}

function must(command: string, args: string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  assert.is(status, 0, `${command} ${args.join(" ")}: ${error?.message ?? stderr}`);
}

const recorders = new Map<string, string>();

/** The recorder as an object file; each kind is compiled once. */
export function recorderObject(compiler: string, ...flags: string[]): string {
  const name = [compiler, ...flags].join("").replace(/\W/g, "_");
  let object = recorders.get(name);
  if (object === undefined) {
    object = join(folder, `recorder-${name}.o`);
    const warnings = ["-Wall", "-Wextra", "-Werror"];
    must(compiler, [
      "-std=c11",
      "-O2",
      ...warnings,
      ...flags,
      "-c",
      "record/heteromem-record.c",
      "-o",
      object,
    ]);
    recorders.set(name, object);
  }
  return object;
}

export interface BuildOptions {
  /** For the program's source. */
  flags?: string[];
  /** For the recorder. */
  recorder?: string[];
  link?: string[];
  /** The C compiler that compiles the recorder, if the program's is another one. */
  with?: string;
}

const programs = new Map<string, string>();

/**
 * Compiles and links a program from its source text or, if there is such a file, its path; once for all who
 * ask.
 */
export function buildProgram(compiler: string, source: string, options: BuildOptions = {}): string {
  const { flags = [], recorder = [], link = [], with: cc = compiler } = options;
  const id = JSON.stringify([compiler, source, options]);
  const known = programs.get(id);
  if (known !== undefined) return known;
  const program = join(folder, `program-${programs.size}`);
  const path = existsSync(source) ? source : `${program}.c`;
  if (path !== source) writeFileSync(path, source);
  const hooks = [...(source.endsWith(".cc") ? [] : ["-std=gnu11"]), "-O1", "-fsanitize=thread", "-Irecord"];
  must(compiler, [...hooks, ...flags, "-c", path, "-o", `${program}.o`]);
  must(compiler, [`${program}.o`, recorderObject(cc, ...recorder), "-o", program, "-pthread", ...link]);
  programs.set(id, program);
  return program;
}

export interface Recording {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  path: string;
  trace: Hmt;
}

let recorded = 0;

export function tracePath(): string {
  return join(folder, `trace-${++recorded}.hmt`);
}

/** Runs a program, which has to leave a trace. */
export function record(program: string, args: string[] = [], env: NodeJS.ProcessEnv = {}): Recording {
  const path = tracePath();
  const { status, signal, stdout, stderr } = spawnSync(program, args, {
    encoding: "utf8",
    env: { ...process.env, HETEROMEM_TRACE: path, ...env },
    timeout: 60_000,
    killSignal: "SIGKILL",
  });
  return { status, signal, stdout, stderr, path, trace: readTrace(path) };
}

export function readTrace(path: string): Hmt {
  return readHmt(readFileSync(path));
}

/** Starts a program, resolves when it has printed a line; the caller ends it. */
export async function start(
  program: string,
  path: string,
  env: NodeJS.ProcessEnv = {},
): Promise<ChildProcess> {
  const child = spawn(program, [], {
    env: { ...process.env, HETEROMEM_TRACE: path, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once("data", () => resolve());
    child.once("exit", (code) => reject(new Error(`${program} ended with ${code}`)));
  });
  return child;
}

export function ended(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
}

/** The addresses that a program prints, one a line: `name 0x…`. */
export function printed(stdout: string): Map<string, number> {
  const lines = stdout.split("\n").filter((line) => line !== "");
  return new Map(
    lines.map((line) => {
      const [name, value] = line.split(" ");
      return [name, Number(value)];
    }),
  );
}

const KINDS = ["L", "S", "M", "I"];

/** An access as text: kind (L, S, M; + atomic, * bulk), offset from `base`, size. */
function show({ kind, address, size }: HmtRecord, base: number): string {
  return `${KINDS[kind & 3]}${kind & 4 ? "+" : ""}${kind & 8 ? "*" : ""} ${address - base},${size}`;
}

/** The accesses to `bytes` bytes from `base` on, in order, as text. */
export function accessesIn(trace: Hmt, base: number, bytes: number): string[] {
  return accesses(trace)
    .filter(({ address }) => address >= base && address < base + bytes)
    .map((record) => show(record, base));
}

/** What the end block says has to be what the blocks have. */
export function checkTotals(trace: Hmt): void {
  assert.is(trace.cut, null);
  const all = trace.blocks.flatMap(({ records }) => records);
  const count = all.filter(({ kind }) => kind < 16).length;
  assert.is(trace.end?.records, count);
  assert.is(trace.end?.events, all.length - count);
}
