/** `heteromem bench`: what the engine's operations cost on this machine. */
import { cpus } from "node:os";
import type { Command } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import { measured, type Figure } from "../microbench/measure.ts";
import { chosen, MICROBENCHMARKS } from "../microbench/programs.ts";
import { UserError } from "./errors.ts";
import { count } from "./words.ts";

const HELP = `
NAME is a benchmark, or the beginning of several: migrate, migrate/to-device, fork.
Each figure is the median of the repetitions, with the quartiles; GB are 10^9 bytes. Figures mean something
only if the machine does nothing else.

Examples:
  heteromem bench
  heteromem bench migrate/to-device fork --time 2
  heteromem bench --json > before.json`;

const SECONDS_MAX = 3600;

interface BenchFlags {
  time: string;
  json?: true;
  list?: true;
}

/** Nanoseconds with three digits that mean something: 0.412, 12.4, 1,240. */
function nanoseconds(value: number): string {
  if (value >= 1000) return count(Math.round(value));
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

const row = (name: string, time: string, spread: string, rate: string, runs: string): string =>
  `${name} ${time.padStart(22)} ${spread.padStart(17)} ${rate.padStart(11)} ${runs.padStart(7)}`;

function line({ name, unit, ns, gbps, repetitions }: Figure, width: number): string {
  const spread = `${nanoseconds(ns.p25)}–${nanoseconds(ns.p75)}`;
  const rate = gbps === null ? "" : `${gbps.toFixed(2)} GB/s`;
  const time = `${nanoseconds(ns.median).padStart(9)} ns/${unit.padEnd(8)}`;
  return row(name.padEnd(width), time, spread, rate, `${repetitions}`);
}

/** Runs the programs and prints a line for each as it ends, or all as JSON. Throws UserError. */
async function bench(names: string[], { time, json, list }: BenchFlags): Promise<void> {
  const programs = chosen(names);
  if (typeof programs === "string")
    throw new UserError(`bench ${programs}: no benchmark is named so, see heteromem bench --list`);
  const seconds = Number(time);
  if (!(seconds > 0 && seconds <= SECONDS_MAX))
    throw new UserError(`--time ${time}: expected seconds above 0, at most ${SECONDS_MAX}`);
  const width = Math.max(...MICROBENCHMARKS.map(({ name }) => name.length));
  if (list) {
    for (const { name, about } of programs) process.stdout.write(`${name.padEnd(width)}  ${about}\n`);
    return;
  }
  const machine = { node: process.version, processor: cpus()[0]?.model ?? "unknown" };
  if (!json) {
    process.stdout.write(`heteromem ${packageJson.version}, Node ${machine.node}, ${machine.processor}\n`);
    process.stdout.write(`${row(" ".repeat(width), "  median".padEnd(20), "p25–p75", "", "runs")}\n`);
  }
  const figures: Figure[] = [];
  for (const [i, program] of programs.entries()) {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${i + 1}/${programs.length} ${program.name} …`);
    const figure = await measured(program, seconds);
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    figures.push(figure);
    if (!json) process.stdout.write(`${line(figure, width)}\n`);
  }
  if (!json) return;
  const result = { schema: "heteromem-bench/1", version: packageJson.version, ...machine, seconds, figures };
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
}

/** Adds the command. */
export function addBench(program: Command): void {
  program
    .command("bench")
    .description("measure what faults, migrations, forks, mprotect, munmap and replay cost on this machine")
    .argument("[names...]", "benchmarks, or beginnings of their names; without one, all run")
    .option("--time <SECONDS>", "seconds of timed work for each benchmark", "0.5")
    .option("--json", "print the figures as JSON (schema heteromem-bench/1)")
    .option("--list", "only list the benchmarks")
    .addHelpText("after", HELP)
    .action(bench);
}
