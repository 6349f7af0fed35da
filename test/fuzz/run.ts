/**
 * Compares the engine with the reference model over random operations, until they differ or the time is up.
 *
 *   npm run fuzz -- [--seconds N] [--seed S] [--runs N] [--keep-going] [--linux V] [--replay FILE] [--help]
 */
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Hmm, type LinuxVersion } from "../../src/index.ts";
import { runOps, runSeed, type Failure } from "./replay.ts";
import { describe, parseSaved } from "./report.ts";
import { kindOf, shrink } from "./shrink.ts";

const HELP = `Compares the engine with the reference model (test/model) over random operations.

  npm run fuzz -- [options]

  --seconds N     how long to run (default 60; 0: no end)
  --seed S        the first run's seed, a number; runs have the seeds S, S + 1, … (default: from the clock)
  --runs N        the number of runs at most; --seed S --runs 1 repeats one run
  --keep-going    continue after the first difference, and show one of each kind
  --linux V       the kernel of all runs, 6.12 or 7.3 (default: one after the other, by the seed)
  --replay FILE   only run the sequence that a difference printed; - reads standard input
  --help          print this text

A run performs some 250 operations on both sides and compares answers and all visible state after each, and
checks the invariants of hmm.verify(). Every fourth seed also runs on the engine alone, with full tables and
failing allocations. On a difference the command prints the seed and a shortened sequence, and exits with 1.
Wrong usage: exit status 2.`;

/** Seeds that are multiples of this run a second time, with full tables. */
const EXHAUST_EVERY = 4;

const PROGRESS_MS = 5000;

class UsageError extends Error {}

interface Options {
  seconds: number;
  seed: number;
  runs: number;
  keepGoing: boolean;
  linux?: LinuxVersion;
  replay?: string;
  help: boolean;
}

function whole(name: string, text: string | undefined, usual: number): number {
  if (text === undefined) return usual;
  if (!/^\d+$/.test(text) || Number(text) > 0xffffffff)
    throw new UsageError(`--${name} takes a whole number, not ${JSON.stringify(text)}`);
  return Number(text);
}

function parseOptions(args: string[]): Options {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const options = {
    seconds: text,
    seed: text,
    runs: text,
    linux: text,
    replay: text,
    "keep-going": flag,
    help: flag,
  };
  let values;
  try {
    ({ values } = parseArgs({ args, options }));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const { linux } = values;
  if (linux !== undefined && linux !== "6.12" && linux !== "7.3")
    throw new UsageError(`--linux takes 6.12 or 7.3, not ${JSON.stringify(linux)}`);
  return {
    linux,
    seconds: whole("seconds", values.seconds, values.runs === undefined ? 60 : 0) || Infinity,
    seed: whole("seed", values.seed, Date.now() % 1_000_000_000),
    runs: whole("runs", values.runs, Infinity),
    keepGoing: values["keep-going"],
    replay: values.replay,
    help: values.help,
  };
}

function replay(file: string): number {
  let saved;
  try {
    saved = parseSaved(readFileSync(file === "-" ? 0 : file, "utf8"));
  } catch (error) {
    throw new UsageError(`--replay ${file}: ${(error as Error).message}`);
  }
  const { steps, failure } = runOps(saved.plan, saved.ops);
  if (failure) console.log(describe(failure, failure));
  console.log(`fuzz: ${steps} operations replayed, ${failure ? "they differ" : "no difference"}`);
  return failure ? 1 : 0;
}

function fuzz({ seconds, seed, runs, keepGoing, linux }: Options): number {
  const { module } = Hmm.createSync({ systemMemory: 4096, deviceMemory: 0 });
  const start = performance.now();
  const elapsed = (): number => (performance.now() - start) / 1000;
  const failures: Failure[] = [];
  const kinds = new Set<string>();
  let steps = 0;
  let done = 0;
  let shown = start;
  console.log(`fuzz: seed ${seed}`);
  const run = (number: number, exhaust: boolean): void => {
    const { failure, steps: performed } = runSeed(number, module, exhaust, linux);
    steps += performed;
    if (!failure) return;
    failures.push(failure);
    if (!kinds.has(kindOf(failure))) console.log(describe(failure, shrink(failure, module)));
    kinds.add(kindOf(failure));
  };
  for (; done < runs && elapsed() < seconds && (keepGoing || failures.length === 0); done++) {
    const number = (seed + done) % 2 ** 32;
    run(number, false);
    if (number % EXHAUST_EVERY === 0) run(number, true);
    if (performance.now() - shown < PROGRESS_MS) continue;
    shown = performance.now();
    console.error(`fuzz: ${elapsed().toFixed(0)} s, ${done + 1} runs, ${steps} operations`);
  }
  const rate = Math.round(steps / elapsed());
  console.log(
    `fuzz: seed ${seed}, ${done} runs, ${steps} operations, ${elapsed().toFixed(1)} s (${rate} a second), ` +
      `${failures.length} runs differ${kinds.size > 1 ? ` in ${kinds.size} ways` : ""}`,
  );
  return failures.length > 0 ? 1 : 0;
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) console.log(HELP);
  else process.exitCode = options.replay === undefined ? fuzz(options) : replay(options.replay);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`fuzz: ${error.message}`);
  process.exitCode = 2;
}
