/** `npm run fuzz` repeats a seed, prints a summary, and refuses wrong usage. */
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("fuzz: the command");

function command(...args: string[]): SpawnSyncReturns<string> {
  const all = ["--import", "./tools/typescript.mjs", "test/fuzz/run.ts", ...args];
  return spawnSync(process.execPath, all, { encoding: "utf8" });
}

test("the command prints a summary", () => {
  const { status, stdout } = command("--seed", "1", "--runs", "1");
  assert.match(stdout, /^fuzz: seed 1\n/);
  assert.match(stdout, /fuzz: seed 1, 1 runs, \d+ operations, [\d.]+ s \(\d+ a second\), 0 runs differ\n$/);
  assert.is(status, 0);
});

test("the command refuses wrong usage", () => {
  for (const args of [
    ["--seed", "x"],
    ["--sed", "1"],
    ["--linux", "5.0"],
    ["--replay", "/does/not/exist"],
  ]) {
    const { status, stderr } = command(...args);
    assert.is(status, 2);
    assert.match(stderr, /^fuzz: /);
  }
});

test.run();
