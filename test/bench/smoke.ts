/**
 * Runs bench rows with tiny sizes: both sides of each comparison compute the same. Asserts no times.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ROWS, runRow } from "../../bench/rows.ts";

/**
 * The rows of each file. A row that takes long has a file of its own. The first run of a file also compiles
 * the C twins of its rows, half a second each.
 */
const PARTS = {
  "page-tables": ["P1", "P2", "P4"],
  mappings: ["P5", "P6", "P8"],
  migration: ["P3", "P23"],
  replay: ["P7"],
  calls: ["P9", "P17", "P18"],
  faults: ["P12", "P13"],
  memory: ["P10", "P11", "P21", "P22"],
  snapshots: ["P14", "P19", "P20"],
  "trace-text": ["P15"],
  browser: ["P16"],
  simulations: ["S1", "S2", "S3", "S4", "S5", "S6", "S7", "S9"],
  sweeps: ["S8"],
} as const;
assert.equal(Object.values(PARTS).flat().sort(), [...ROWS].sort(), "every row belongs to one file");

/** Tests that the rows of a part run. */
export function testRows(part: keyof typeof PARTS): void {
  const test = suite(`bench: ${part}`);
  for (const row of PARTS[part]) {
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
