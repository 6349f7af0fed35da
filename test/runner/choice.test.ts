/** tools/test.mjs runs what filters select, and CI=true makes a skipped test a failure. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { run } from "./run.ts";

const runner = suite("tools/test.mjs: choice");

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
