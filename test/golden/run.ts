/**
 * Replays the recorded answers of a Linux kernel and compares.
 *
 *   npm run golden -- [DIR] [--linux V] [--only NAME] [--tags a,b] [--emit OUT] [--table]
 *
 *   DIR      a folder of .jsonl and .jsonl.gz files; without it: test/golden/records and records-7.3
 *   --linux  6.12 or 7.3: whose rules the engine follows for DIR; default: what its records name. In a folder
 *            named old the driver is that of 6.12
 *   --only   the scenario NAME, or those whose name contains NAME; prints every operation
 *   --tags   only scenarios that need no other tags
 *   --emit   writes the engine's line for every record line: OUT/<file>.jsonl for each file of DIR, or one
 *            file if OUT ends in .jsonl
 *   --table  writes the table of docs/linux.md for the project's records
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import {
  loadAll,
  loadScenarios,
  NOT_BUILT,
  RecordError,
  type GoldenRecord,
  type Scenario,
} from "./records.ts";
import {
  detailFields,
  replayScenario,
  selectScenarios,
  type Mismatch,
  type ScenarioResult,
} from "./replay.ts";
import type { LinuxVersion } from "../../src/index.ts";
import { goldenTable, withTable } from "./table.ts";
import { makeEngineWorld } from "./world.ts";

/** Number of mismatches printed; the last line counts all. */
const PRINTED_MISMATCHES = 100;
const PROGRESS_MS = 2000;
/** The page with the table. */
const DOCUMENT = new URL("../../docs/linux.md", import.meta.url);

interface Options {
  /** The folder of records; default: all of the project's. */
  dir?: string | undefined;
  linux?: LinuxVersion | undefined;
  only?: string;
  tags?: string[];
  emit?: string;
  table: boolean;
}

class UsageError extends Error {}

function parseOptions(args: string[]): Options {
  const option = { type: "string" } as const;
  try {
    const { values, positionals } = parseArgs({
      args,
      options: {
        linux: option,
        only: option,
        tags: option,
        emit: option,
        table: { type: "boolean", default: false },
      },
      allowPositionals: true,
    });
    if (positionals.length > 1) throw new Error(`one directory at most, not ${positionals.join(" ")}`);
    const { linux, only, emit, tags: tagList, table } = values;
    if (linux !== undefined && linux !== "6.12" && linux !== "7.3") throw new Error(`no rules of ${linux}`);
    if (linux !== undefined && positionals.length === 0) throw new Error("--linux is about a directory");
    const tags = tagList?.split(",").map((tag) => tag.trim());
    if (table && (positionals.length > 0 || only !== undefined || tags !== undefined))
      throw new Error("--table is about all of the project's records");
    return { dir: positionals.at(0), linux, only, emit, tags, table };
  } catch (error) {
    const usage = "usage: [DIR] [--linux 6.12|7.3] [--only NAME] [--tags a,b] [--emit OUT] [--table]";
    throw new UsageError(`${(error as Error).message}\n${usage}`);
  }
}

/** Returns a value as text, shortened. */
function show(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing");
  return text.length > 1000 ? `${text.slice(0, 1000)}… (${text.length} characters)` : text;
}

function printMismatch({ scenario, index, op, args, field, expected, got }: Mismatch): void {
  console.log(`${scenario} #${index} ${op} ${args.join(" ")}`);
  console.log(`    ${field}: expected ${show(expected)}`);
  console.log(`    ${" ".repeat(field.length)}       got ${show(got)}`);
}

function printLine(record: GoldenRecord, strict: Mismatch[], detail: Mismatch[]): void {
  const { i, p = 0, op, args = [], s: _s, st: _st, ...answer } = record;
  const verdict = strict.length > 0 ? "DIFFERS" : detail.length > 0 ? "detail differs" : "ok";
  console.log(`  #${i} p${p} ${op} ${args.join(" ")}  ${i < 0 ? "" : JSON.stringify(answer)}  ${verdict}`);
  for (const { field, expected, got } of detail) {
    console.log(`      detail ${field}: expected ${show(expected)}, got ${show(got)}`);
  }
}

/** Prints the progress of a long run now and then; a terminal shows one line. */
class Progress {
  private last = performance.now();

  constructor(private readonly total: number) {}

  update(done: number, mismatches: number): void {
    const now = performance.now();
    if (now - this.last < PROGRESS_MS) return;
    this.last = now;
    const text = `golden: ${done} of ${this.total} scenarios, ${mismatches} strict mismatches so far`;
    process.stderr.write(process.stderr.isTTY ? `\r${text}` : `${text}\n`);
  }

  clear(): void {
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  }
}

function emit(out: string, results: ScenarioResult[]): void {
  const texts = new Map<string, string[]>();
  const single = out.endsWith(".jsonl");
  for (const { scenario, lines } of results) {
    const path = single ? out : join(out, scenario.file.replace(/\.gz$/, ""));
    const text = texts.get(path) ?? [];
    texts.set(path, text);
    for (const line of lines) text.push(JSON.stringify(line));
  }
  for (const [path, text] of texts) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text.join("\n") + "\n");
  }
}

function replayAll(run: Scenario[], verbose: boolean): ScenarioResult[] {
  const progress = new Progress(run.length);
  const results: ScenarioResult[] = [];
  let mismatches = 0;
  for (const scenario of run) {
    if (verbose) console.log(`${scenario.name}: ${scenario.desc} [${scenario.tags.join(", ")}]`);
    const result = replayScenario(scenario, makeEngineWorld, verbose ? printLine : undefined);
    for (const mismatch of result.mismatches) {
      if (mismatches++ < PRINTED_MISMATCHES) {
        progress.clear();
        printMismatch(mismatch);
      }
    }
    results.push(result);
    progress.update(results.length, mismatches);
  }
  progress.clear();
  if (mismatches > PRINTED_MISMATCHES)
    console.log(`… and ${mismatches - PRINTED_MISMATCHES} more mismatches`);
  return results;
}

/** Returns the number of scenarios that did not run, by the tag that they need. */
function reportNotRun(notRun: { scenario: Scenario; needs: string[] }[]): boolean {
  const counts = new Map<string, number>();
  for (const { needs } of notRun) for (const need of needs) counts.set(need, (counts.get(need) ?? 0) + 1);
  for (const [need, count] of [...counts].sort()) {
    const known = NOT_BUILT.includes(need);
    console.log(`not run: ${count} scenarios need ${need}${known ? ", which is not built yet" : ""}`);
  }
  return notRun.every(({ needs }) => needs.every((need) => NOT_BUILT.includes(need)));
}

function main(): number {
  const options = parseOptions(process.argv.slice(2));
  const scenarios = options.dir === undefined ? loadAll() : loadScenarios(options.dir, options.linux);
  const { run, notRun } = selectScenarios(scenarios, { notBuilt: NOT_BUILT, ...options });
  if (run.length + notRun.length === 0)
    throw new UsageError(`no scenario of ${options.dir ?? "the records"} is meant by that`);

  const results = replayAll(run, options.only !== undefined);
  if (options.emit !== undefined) emit(options.emit, results);
  if (options.table) {
    let page = readFileSync(DOCUMENT, "utf8");
    for (const linux of ["6.12", "7.3"] as const)
      page = withTable(page, linux, goldenTable(linux, scenarios, results));
    writeFileSync(DOCUMENT, page);
  }
  const excused = reportNotRun(notRun);

  const sum = (count: (result: ScenarioResult) => number): number =>
    results.reduce((n, r) => n + count(r), 0);
  const mismatches = sum((result) => result.mismatches.length);
  const fields = sum(detailFields);
  const detail = fields === 0 ? 100 : (100 * (fields - sum((result) => result.details.length))) / fields;
  console.log(
    `golden: ${run.length} scenarios, ${sum((result) => result.operations)} operations, ` +
      `${mismatches} strict mismatches, detail ${detail.toFixed(2)} %, ${notRun.length} not run`,
  );
  return mismatches > 0 || !excused ? 1 : 0;
}

try {
  process.exitCode = main();
} catch (error) {
  if (!(error instanceof UsageError) && !(error instanceof RecordError)) throw error;
  console.error(`golden: ${error.message}`);
  process.exitCode = 2;
}
