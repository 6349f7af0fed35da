/**
 * Allocations inside the core fail, one at a time, in recorded runs: the operation reports the failure or
 * does without, nothing breaks, no byte is lost, and the repeated operation succeeds. This is a sample; `npm
 * run fail-alloc` runs all.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { countAllocations, trials, type Trial } from "./trial.ts";
import { loadScenarios, NOT_BUILT, RECORDS } from "../golden/records.ts";
import { selectScenarios } from "../golden/replay.ts";

const { run } = selectScenarios(loadScenarios(RECORDS), { notBuilt: NOT_BUILT });

/** The sample: every 37th allocation of every fifth scenario. */
const SCENARIO_STEP = 5;
const ALLOCATION_STEP = 37;
/** Operations that the sample must reach, whatever records are added. */
const OPERATIONS = ["r", "w", "dread", "dwrite", "dmig", "mmap", "munmap", "mprotect", "mremap", "fork"];
/** Operations that cannot do without an allocation: no driver retries, and no page can stay in place. */
const ALWAYS_REPORT = ["mmap", "munmap", "mprotect", "fork"];

const test = suite("fail-alloc");

test("allocations of the golden scenarios", () => {
  const seen = new Map<string, Set<Trial["outcome"]>>();
  let made = 0;
  for (const scenario of run.filter((_, i) => i % SCENARIO_STEP === 0)) {
    for (const [at, count] of countAllocations(scenario).entries()) {
      const wanted = Array.from({ length: count }, (_, i) => i + 1).filter(
        () => made++ % ALLOCATION_STEP === 0,
      );
      if (wanted.length === 0) continue;
      for (const trial of trials(scenario, at, wanted)) {
        const { index, op, args, nth, said, outcome, problem } = trial;
        const what = `${scenario.name} #${index} ${op} ${args.join(" ")}, allocation ${nth}`;
        assert.is(problem, undefined, `${what} says ${JSON.stringify(said)}: ${problem}`);
        // An operation that fails by rule gives the same answer.
        if (outcome === "same" && (said.ret ?? 0) < 0) continue;
        seen.set(op, (seen.get(op) ?? new Set()).add(outcome));
      }
    }
  }
  for (const op of OPERATIONS) assert.ok(seen.get(op)?.has("reported"), `no ${op} has reported a failure`);
  for (const op of ALWAYS_REPORT) assert.equal([...seen.get(op)!], ["reported"], op);
});

test.run();
