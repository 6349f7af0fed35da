/** Every bench runs with tiny sizes, and both sides of each comparison compute the same. No time is asserted. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ROWS, runRow } from "../../bench/rows.ts";

const test = suite("bench");

for (const row of ROWS) {
  test(`${row} runs, and its rivals do the same work`, async () => {
    const lines: string[] = [];
    const results = await runRow(row, { pairs: 1, smoke: true }, (line) => void lines.push(line));
    // P16 has nothing to compare where there is no Chromium, and says so.
    assert.ok(results.length > 0 || (row === "P16" && lines.some((line) => line.includes("no Chromium"))));
    for (const result of results) {
      assert.is(result.row, row);
      assert.ok(result.ours > 0);
      // Null is for rivals that cannot run on this machine: there is no C compiler.
      assert.is(result.met === null, result.theirs === null);
    }
    assert.match(lines[0], row);
  });
}

test.run();
