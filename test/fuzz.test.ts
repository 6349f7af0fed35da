/**
 * The engine against the reference model, over random operations with fixed seeds. `npm run fuzz` goes on from there.
 * Then the fuzzer itself: models that are broken on purpose have to be noticed.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Hmm } from "../src/index.ts";
import { readSurface } from "./errors/surface.ts";
import { CANARIES } from "./fuzz/canaries.ts";
import { ALL_ALONG, readCoverage } from "./fuzz/coverage.ts";
import { runOps, runSeed, type Failure } from "./fuzz/replay.ts";
import { describe, parseSaved } from "./fuzz/report.ts";
import { shrink } from "./fuzz/shrink.ts";
import { WEIGHTS } from "./fuzz/weights.ts";
import { replayGolden } from "./util/model-golden.ts";

const STEPS = 100_000;
const EXHAUST_STEPS = 20_000;
/** Runs in which a broken model has to show. */
const CANARY_RUNS = 100;
/** Operations that its shortened sequence has at most; where memory has to run out for it, it takes some to use it up. */
const CANARY_OPS = 20;

const test = suite("fuzz");
const { module } = Hmm.createSync({ systemMemory: 4096, deviceMemory: 0 });

test(`engine and model agree over ${STEPS} operations`, () => {
  let steps = 0;
  for (let seed = 1; steps < STEPS; seed++) {
    const run = runSeed(seed, module);
    steps += run.steps;
    if (run.failure) throw new Error(describe(run.failure, shrink(run.failure, module)));
  }
});

test(`nothing breaks and nothing is lost over ${EXHAUST_STEPS} operations while tables run out`, () => {
  let steps = 0;
  for (let seed = 1; steps < EXHAUST_STEPS; seed++) {
    const run = runSeed(seed, module, true);
    steps += run.steps;
    if (run.failure) throw new Error(describe(run.failure, shrink(run.failure, module)));
  }
});

test("a run repeats itself", () => {
  const { steps, failure } = runSeed(1, module);
  assert.is(failure, null);
  assert.is(runSeed(1, module).steps, steps);
});

test("the model answers as the records do", () => {
  const { scenarios, strict, detail } = replayGolden(join(import.meta.dirname, "golden/records"));
  assert.equal(strict, []);
  assert.equal(detail, []);
  assert.is(scenarios, 340);
});

test("the list of what the fuzzer drives is whole, and names operations that there are", () => {
  const operations = new Set(WEIGHTS.map(([op]) => op));
  const rows = readCoverage();
  assert.equal(
    [...rows.keys()].sort(),
    readSurface(["src/index.ts"])
      .map(({ key }) => key)
      .sort(),
  );
  for (const [key, { drivenBy, why }] of rows) {
    assert.equal(
      drivenBy.filter((op) => !operations.has(op) && !ALL_ALONG.has(op)),
      [],
      key,
    );
    assert.is(drivenBy.length > 0, why === "", `${key}: operations, or why there are none`);
  }
  const named = new Set([...rows.values()].flatMap(({ drivenBy }) => drivenBy));
  assert.equal(
    [...operations].filter((op) => !named.has(op)),
    [],
    "operations that drive nothing",
  );
});

/** The first failure from seed 1 on. */
function firstFailure(): Failure | null {
  for (let seed = 1; seed <= CANARY_RUNS; seed++) {
    const { failure } = runSeed(seed, module);
    if (failure) return failure;
  }
  return null;
}

for (const [name, withBrokenModel] of CANARIES) {
  test(`canary: a model in which ${name} is noticed`, () => {
    let text = "";
    withBrokenModel(() => {
      const failure = firstFailure();
      assert.ok(failure, `no difference in ${CANARY_RUNS} runs`);
      const short = shrink(failure, module);
      assert.ok(
        short.ops.length <= CANARY_OPS,
        `${short.ops.length} operations are left:\n${describe(failure, short)}`,
      );
      text = describe(failure, short);
      const { plan, ops } = parseSaved(text);
      assert.ok(
        runOps(plan, ops, module).failure,
        "the shortened sequence does not fail when it is replayed",
      );
    });
    const { plan, ops } = parseSaved(text);
    assert.is(runOps(plan, ops, module).failure, null, "it fails with the right model, too");
  });
}

function command(...args: string[]): { status: number | null; output: string } {
  const file = new URL("fuzz/run.ts", import.meta.url).pathname;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", file, ...args], {
    encoding: "utf8",
  });
  return { status, output: stdout + stderr };
}

test("the command says what it did", () => {
  const { status, output } = command("--seed", "1", "--runs", "2");
  assert.match(output, /^fuzz: seed 1\n/);
  assert.match(output, /fuzz: seed 1, 2 runs, \d+ operations, [\d.]+ s \(\d+ a second\), 0 runs differ\n$/);
  assert.is(status, 0);
});

test("the command refuses what it does not know", () => {
  for (const args of [
    ["--seed", "x"],
    ["--sed", "1"],
    ["--replay", "/does/not/exist"],
  ]) {
    const { status, output } = command(...args);
    assert.is(status, 2);
    assert.match(output, /^fuzz: /);
  }
});

test.run();
