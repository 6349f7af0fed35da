/**
 * The C rivals. They are built on demand into build/bench and run as child processes; native/twin.h has the
 * protocol.
 */
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { median } from "./harness.ts";
import type { Rival, Sample, Side } from "./harness.ts";

const SOURCES = fileURLToPath(new URL("native", import.meta.url));
const OUTPUT = fileURLToPath(new URL("../build/bench", import.meta.url));
const FLAGS = ["-std=gnu17", "-Wall", "-Wextra", "-O3"];

/** The two builds of every twin. */
const BUILDS = { O3: [], native: ["-march=native"] } as const;
export type Build = keyof typeof BUILDS;

let found: string | null | undefined;

/**
 * Returns the C compiler's command, or null if there is none. Rows with C rivals then say that they are
 * skipped.
 */
export function compiler(): string | null {
  const works = (command: string): boolean => spawnSync(command, ["--version"]).status === 0;
  found ??= [process.env.CC, "gcc", "cc"].find((command) => command !== undefined && works(command)) ?? null;
  return found;
}

export function compilerVersion(): string | null {
  const command = compiler();
  return command === null
    ? null
    : spawnSync(command, ["--version"], { encoding: "utf8" }).stdout.split("\n")[0];
}

/** Returns the path of a program. Builds the program if a source is newer. */
function program(name: string, build: Build): string {
  const output = join(OUTPUT, `${name}-${build}`);
  const newest = Math.max(...readdirSync(SOURCES).map((file) => statSync(join(SOURCES, file)).mtimeMs));
  if (existsSync(output) && statSync(output).mtimeMs > newest) return output;
  mkdirSync(OUTPUT, { recursive: true });
  const temporary = `${output}.${process.pid}`;
  const args = [...FLAGS, ...BUILDS[build], join(SOURCES, `${name}.c`), "-o", temporary];
  const { status, stderr } = spawnSync(compiler()!, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${compiler()} ${args.join(" ")}\n${stderr}`);
  renameSync(temporary, output);
  return output;
}

/** A C program as a side. Its first repetition starts the process. */
export class NativeSide implements Side {
  readonly #name: string;
  readonly #build: Build;
  readonly #args: readonly (string | number)[];
  #child: ChildProcessWithoutNullStreams | null = null;
  #lines: AsyncIterator<string> | null = null;

  constructor(name: string, build: Build, args: readonly (string | number)[]) {
    this.#name = name;
    this.#build = build;
    this.#args = args;
  }

  async #start(): Promise<void> {
    const child = spawn(program(this.#name, this.#build), this.#args.map(String));
    child.stderr.pipe(process.stderr);
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    if ((await this.#line()) !== "ready") throw new Error(`${this.#name}: the program did not print "ready"`);
  }

  async #line(): Promise<string> {
    const next = await this.#lines!.next();
    if (next.done === true) throw new Error(`${this.#name} (${this.#build}) ended: ${this.#args.join(" ")}`);
    return next.value;
  }

  async run(): Promise<Sample> {
    if (this.#child === null) await this.#start();
    this.#child!.stdin.write("\n");
    const [ns, hash] = (await this.#line()).split(" ").map(Number);
    return { ns: ns, hash: hash };
  }

  async close(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    await new Promise((resolve) => child.once("exit", resolve).stdin.end());
  }
}

/** Returns the rivals "twin-O3" and "twin-native", each with its own target. */
export function twins(
  name: string,
  args: readonly (string | number)[],
  targets: Record<Build, number>,
): Rival[] {
  return (Object.keys(targets) as Build[]).map((build) => ({
    name: `twin-${build}`,
    target: targets[build],
    sides: compiler() === null ? null : [new NativeSide(name, build, args)],
  }));
}

let avx2: boolean | undefined;

/** Tells whether rivals that use AVX2 by hand (native/vectors.h) can run here. */
function hasAvx2(): boolean {
  avx2 ??= existsSync("/proc/cpuinfo") && /\bavx2\b/.test(readFileSync("/proc/cpuinfo", "utf8"));
  return avx2 && process.arch === "x64";
}

/** Returns the rival of a program whose vectors or non-temporal stores were written by hand. */
export function vectors(
  rival: string,
  name: string,
  args: readonly (string | number)[],
  target: number,
): Rival {
  const works = compiler() !== null && hasAvx2();
  return { name: rival, target, sides: works ? [new NativeSide(name, "O3", args)] : null };
}

/** Returns one rival that stands for both builds of a program. The faster build counts. */
export function fasterTwin(
  rival: string,
  name: string,
  args: readonly (string | number)[],
  target: number,
): Rival {
  const builds = Object.keys(BUILDS) as Build[];
  return {
    name: rival,
    target,
    sides: compiler() === null ? null : builds.map((b) => new NativeSide(name, b, args)),
  };
}

/**
 * Returns a rival that does the same with the host's kernel (native/host.c). Its results cannot be compared.
 */
export function host(rival: string, args: readonly (string | number)[], target: number): Rival {
  const sides = compiler() === null ? null : [new NativeSide("host", "O3", args)];
  return { name: rival, target, sides, sameHash: false };
}

/**
 * Calls `work` with a function that writes input files, which both sides read. Removes the files afterwards.
 */
export async function withFolder<T>(
  work: (file: (name: string, data: Uint8Array | Uint32Array | Float64Array) => string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "heteromem-bench-"));
  try {
    return await work((name, data) => {
      const path = join(folder, name);
      writeFileSync(path, data);
      return path;
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Returns the nanoseconds that memory takes for `work` alone (native/floor.c). Returns null without a C
 * compiler.
 */
export async function floor(
  work: "copy" | "alone" | "exchange" | "fill" | "gather",
  bytes: number,
  repeats: number,
): Promise<number | null> {
  if (compiler() === null) return null;
  const program = new NativeSide("floor", "O3", [work, bytes, repeats]);
  try {
    const samples: number[] = [];
    for (let i = 0; i < 7; i++) samples.push((await program.run()).ns / repeats);
    return median(samples);
  } finally {
    await program.close();
  }
}

/** Returns a row's line about the time that memory allows, in nanoseconds a unit. */
export function floorNote(what: string, ns: number | null): string {
  return ns === null
    ? "floor: not measured, there is no C compiler"
    : `floor: ${ns.toPrecision(3)} (${what})`;
}
