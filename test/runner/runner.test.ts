/** tools/test.mjs reports every kind of failure. Each fixture folder holds one kind. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { run } from "./run.ts";

const runner = suite("tools/test.mjs");

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

runner.run();
