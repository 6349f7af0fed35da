/**
 * Allocations inside the core fail, one at a time, in recorded runs: the operation reports the failure or
 * does without, nothing breaks, no byte is lost, and the repeated operation succeeds. This is a sample in
 * four files; `npm run fail-alloc` runs all.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { countAllocations, trials, type Trial } from "./trial.ts";
import { loadScenarios, NOT_BUILT, RECORDS, type Scenario } from "../golden/records.ts";
import { selectScenarios } from "../golden/replay.ts";

const { run } = selectScenarios(loadScenarios(RECORDS), { notBuilt: NOT_BUILT });

/** The sample: every 37th allocation of every fifth scenario. */
const SCENARIO_STEP = 5;
const ALLOCATION_STEP = 37;

/** Operations on mappings and processes. They cannot do without an allocation. */
const MAPPINGS = ["mmap", "munmap", "mprotect", "fork"];
/** Operations that the sample must reach in each file, whatever records are added. */
const REACHED = {
  mappings: [...MAPPINGS, "mremap"],
  devices: ["dread", "dwrite"],
  migrations: ["dmig"],
  accesses: ["r", "w"],
};
type Part = keyof typeof REACHED;

/** The part that has an operation. Those of devices, as migrations are, begin with "d". */
function partOf(op: string): Part {
  if (REACHED.mappings.includes(op)) return "mappings";
  if (REACHED.devices.includes(op)) return "devices";
  return op.startsWith("d") ? "migrations" : "accesses";
}

/** Tests the sample's allocations in a part of the operations. */
export function testSample(part: Part): void {
  const test = suite(`fail-alloc: ${part}`);
  test("allocations of the golden scenarios", () => {
    const seen = new Map<string, Set<Trial["outcome"]>>();
    for (const { scenario, at, wanted } of sample(part)) {
      for (const trial of trials(scenario, at, wanted)) {
        const { index, op, args, nth, said, outcome, problem } = trial;
        const what = `${scenario.name} #${index} ${op} ${args.join(" ")}, allocation ${nth}`;
        assert.is(problem, undefined, `${what} says ${JSON.stringify(said)}: ${problem}`);
        // An operation that fails by rule gives the same answer.
        if (outcome === "same" && (said.ret ?? 0) < 0) continue;
        seen.set(op, (seen.get(op) ?? new Set()).add(outcome));
      }
    }
    for (const op of REACHED[part])
      assert.ok(seen.get(op)?.has("reported"), `no ${op} has reported a failure`);
    // No driver retries them, and no page can stay in place.
    for (const op of MAPPINGS) if (seen.has(op)) assert.equal([...seen.get(op)!], ["reported"], op);
  });
  test.run();
}

interface Sampled {
  readonly scenario: Scenario;
  readonly at: number;
  /** The numbers of the allocations that fail. */
  readonly wanted: readonly number[];
}

/** Returns the sampled allocations of a part's operations. Each part counts the allocations of all. */
function sample(part: Part): Sampled[] {
  const sampled: Sampled[] = [];
  let made = 0;
  for (const scenario of run.filter((_, i) => i % SCENARIO_STEP === 0)) {
    for (const [at, count] of countAllocations(scenario).entries()) {
      const numbers = Array.from({ length: count }, (_, i) => i + 1);
      const wanted = numbers.filter(() => made++ % ALLOCATION_STEP === 0);
      if (wanted.length > 0 && partOf(scenario.lines[at].op) === part) sampled.push({ scenario, at, wanted });
    }
  }
  return sampled;
}
