/**
 * Runs bench rows with tiny sizes: both sides of each comparison compute the same. Asserts no times.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ROWS, runRow } from "../../bench/rows.ts";

/** Which rows each file tests. */
type Part = "P1 to P8" | "P9 and above" | "S";

function partOf(row: string): Part {
  if (row.startsWith("S")) return "S";
  return Number(row.slice(1)) < 9 ? "P1 to P8" : "P9 and above";
}

/** Tests that the rows of a part run. */
export function testRows(part: Part): void {
  const test = suite(`bench: ${part}`);
  for (const row of ROWS.filter((each) => partOf(each) === part)) {
    test(`${row} runs, and its rivals do the same work`, async () => {
      const lines: string[] = [];
      const results = await runRow(row, { pairs: 1, smoke: true }, (line) => void lines.push(line));
      // Without Chromium, P16 has nothing to compare, and says so. CI has Chromium.
      const skipped = row === "P16" && lines.some((line) => line.includes("no Chromium"));
      assert.ok(results.length > 0 || (skipped && process.env.CI !== "true"));
      for (const result of results) {
        assert.is(result.row, row);
        assert.ok(result.ours > 0);
        // A rival is null if this machine cannot run it: it has no C compiler.
        assert.is(result.met === null, result.theirs === null);
      }
      assert.match(lines[0], row);
    });
  }
  test.run();
}
