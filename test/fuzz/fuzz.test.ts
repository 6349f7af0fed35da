/**
 * The engine agrees with the reference model over random operations with fixed seeds. `npm run fuzz` runs
 * more seeds; canaries.test.ts shows that the fuzzer notices mistakes.
 */
import { spawnSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Hmm } from "../../src/index.ts";
import { readSurface } from "../errors/surface.ts";
import { ALL_ALONG, readCoverage } from "./coverage.ts";
import { runSeed } from "./replay.ts";
import { describe } from "./report.ts";
import { shrink } from "./shrink.ts";
import { WEIGHTS } from "./weights.ts";

const STEPS = 100_000;
const EXHAUST_STEPS = 20_000;
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

test("a run is reproducible", () => {
  const { steps, failure } = runSeed(1, module);
  assert.is(failure, null);
  assert.is(runSeed(1, module).steps, steps);
});

test("the table of what the fuzzer drives is complete and names existing operations", () => {
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

function command(...args: string[]): { status: number | null; output: string } {
  const file = new URL("run.ts", import.meta.url).pathname;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--import", "./tools/typescript.mjs", file, ...args],
    {
      encoding: "utf8",
    },
  );
  return { status, output: stdout + stderr };
}

test("the command prints a summary", () => {
  const { status, output } = command("--seed", "1", "--runs", "2");
  assert.match(output, /^fuzz: seed 1\n/);
  assert.match(output, /fuzz: seed 1, 2 runs, \d+ operations, [\d.]+ s \(\d+ a second\), 0 runs differ\n$/);
  assert.is(status, 0);
});

test("the command refuses wrong usage", () => {
  for (const args of [
    ["--seed", "x"],
    ["--sed", "1"],
    ["--linux", "5.0"],
    ["--replay", "/does/not/exist"],
  ]) {
    const { status, output } = command(...args);
    assert.is(status, 2);
    assert.match(output, /^fuzz: /);
  }
});

test.run();
