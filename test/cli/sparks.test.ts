/** Small pictures for a terminal. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bar, sparkline } from "../../src/cli/sparks.ts";

const sparks = suite("terminal pictures");
sparks("a bar has eighths of a character", () => {
  assert.is(bar(0.5, 4), "██");
  assert.is(bar(5 / 32, 4), "▋"); // 5 eighths
  assert.is(bar(2, 3), "███");
  assert.is(bar(0, 3), "");
});
sparks("a sparkline has levels from nothing to the most", () => {
  assert.is(sparkline([0, 1, 4, 8], 4), "▁▁▄█");
  assert.is(sparkline([1, 1, 2, 2], 2), "▄█");
  assert.is(sparkline([0, 0], 8), "▁▁");
});
sparks.run();
