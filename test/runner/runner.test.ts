/** tools/test.mjs reports every kind of failure. Each fixture folder holds one kind. */
import { spawnSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const runner = suite("tools/test.mjs");

interface Run {
  status: number | null;
  last: string;
  output: string;
}

function run(fixture: string, filters: string[] = [], ci = ""): Run {
  const args = ["tools/test.mjs", "--root", `test/runner/fixtures/${fixture}`, ...filters];
  const env = { ...process.env, CI: ci };
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: "utf8", env });
  return { status, last: stdout.trimEnd().split("\n").at(-1) ?? "", output: stdout };
}

const cases: [fixture: string, status: number, last: string, says: RegExp][] = [
  ["good", 0, "2 passed, 0 failed, 1 skipped", /ok {3}test.runner.fixtures.good/],
  ["nothing-here", 1, "0 passed, 1 failed", /no test file/],
  ["forgotten", 1, "1 passed, 1 failed", /second\.run\(\) is missing/],
  ["empty", 1, "0 passed, 1 failed", /no tests/],
  ["failing", 1, "1 passed, 1 failed", /FAIL test.runner.fixtures.failing[^]*fails on purpose/],
  ["hook", 1, "0 passed, 1 failed", /1 tests did not run: a hook threw/],
  ["early", 1, "0 passed, 1 failed", /ended before its tests did/],
  ["throws", 1, "0 passed, 1 failed", /on purpose[^]*threw while it was loaded/],
  ["two", 1, "3 passed, 1 failed, 1 skipped", /ok {3}\S*a\.test[^]*FAIL|FAIL[^]*ok {3}\S*a\.test/],
];

for (const [fixture, status, last, says] of cases) {
  runner(fixture, () => {
    const result = run(fixture);
    assert.is(result.last, last);
    assert.is(result.status, status);
    assert.match(result.output, says);
  });
}

runner("runs only the files that a filter selects", () => {
  assert.is(run("two", ["a.test"]).last, "2 passed, 0 failed, 1 skipped");
  assert.is(run("two", ["runner/a"]).last, "2 passed, 0 failed, 1 skipped");
  assert.is(run("two", ["no-such-file"]).status, 1);
});

runner("a skipped test is a failure where CI=true", () => {
  const { status, last, output } = run("good", [], "true");
  assert.is(last, "2 passed, 1 failed, 1 skipped");
  assert.is(status, 1);
  assert.match(output, /good\.test\.ts: skips tests, and CI=true/);
});

runner.run();
