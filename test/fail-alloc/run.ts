/**
 * Makes every allocation of recorded runs fail, one at a time. See docs/testing.md.
 *
 *   npm run fail-alloc -- [--only NAME] [--help]
 */
import { parseArgs } from "node:util";
import { PROGRAM } from "../cli/program.ts";
import { loadScenarios, NOT_BUILT, RECORDS, type Scenario } from "../golden/records.ts";
import { selectScenarios } from "../golden/replay.ts";
import { countTraceAllocations, runTrace, shortTrace } from "./trace.ts";
import { countAllocations, trials, type Trial } from "./trial.ts";

const HELP = `Makes every allocation inside the core fail once, in recorded runs: the golden scenarios and
a short trace.

  npm run fail-alloc -- [--only NAME] [--help]

  --only NAME   only the scenario NAME, or the scenarios whose name contains NAME, or "trace"

Each time the operation must report the failure or do without the allocation; every invariant holds,
no byte is lost, and the repeated operation succeeds. Exit status: 0; 1 if an allocation breaks
a rule; 2 for wrong usage.`;

const PROGRESS_MS = 5000;
const PROBLEMS_PRINTED = 20;

class UsageError extends Error {}

function describe({ scenario, index, op, args, nth, said, problem }: Trial): string {
  const where = `${scenario} #${index} ${op} ${args.join(" ")}`;
  return `${where}: allocation ${nth} fails, it says ${JSON.stringify(said)}\n    ${problem}`;
}

/** Counts so far. */
class Tally {
  readonly outcomes = { reported: 0, partly: 0, same: 0 };
  problems = 0;
  #shown = performance.now();

  problem(text: string): void {
    if (this.problems++ < PROBLEMS_PRINTED) console.log(text);
  }

  get allocations(): number {
    return this.outcomes.reported + this.outcomes.partly + this.outcomes.same;
  }

  progress(where: string): void {
    if (performance.now() - this.#shown < PROGRESS_MS) return;
    this.#shown = performance.now();
    console.error(`fail-alloc: ${where}: ${this.allocations} allocations so far, ${this.problems} problems`);
  }
}

function failScenario(scenario: Scenario, tally: Tally): void {
  for (const [at, count] of countAllocations(scenario).entries()) {
    if (count === 0) continue;
    const all = Array.from({ length: count }, (_, i) => i + 1);
    for (const trial of trials(scenario, at, all)) {
      tally.outcomes[trial.outcome]++;
      if (trial.problem !== undefined) tally.problem(describe(trial));
      tally.progress(scenario.name);
    }
  }
}

function failTrace(tally: Tally): void {
  const accesses = shortTrace(PROGRAM.accesses);
  const count = countTraceAllocations(accesses);
  for (let nth = 1; nth <= count; nth++) {
    try {
      tally.outcomes[runTrace(accesses, nth).reported === undefined ? "same" : "reported"]++;
    } catch (error) {
      tally.problem(`trace: allocation ${nth} fails\n    ${String(error)}`);
    }
    tally.progress("trace");
  }
}

function main(): number {
  let values;
  try {
    const options = { only: { type: "string" }, help: { type: "boolean", default: false } } as const;
    ({ values } = parseArgs({ options }));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const { only, help } = values;
  if (help) console.log(HELP);
  if (help) return 0;
  const { run } = selectScenarios(loadScenarios(RECORDS), { notBuilt: NOT_BUILT, only });
  const trace = only === undefined || only === "trace";
  if (run.length === 0 && !trace) throw new UsageError(`no scenario is named so: ${only}`);
  const tally = new Tally();
  for (const scenario of run) failScenario(scenario, tally);
  if (trace) failTrace(tally);
  const { reported, partly, same } = tally.outcomes;
  console.log(
    `fail-alloc: ${run.length} scenarios${trace ? " and a trace" : ""}, ${tally.allocations} allocations: ` +
      `${reported} reported, ${partly} in part, ${same} done without, ${tally.problems} problems`,
  );
  return tally.problems > 0 ? 1 : 0;
}

try {
  process.exitCode = main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`fail-alloc: ${error.message}`);
  process.exitCode = 2;
}
