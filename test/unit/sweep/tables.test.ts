/** The table of results says what became of each point's jobs. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { reasons } from "../../../src/cli/sweep/failures.ts";
import type { ResultRow, Results } from "../../../src/sweep/rows.ts";
import { tableText } from "../../../src/sweep/tables.ts";

const test = suite("sweep: tables");

/** Rows of one axis without reports: "f" failed, "m" is missing. */
function resultsOf(points: Record<string, string>): Results {
  const rows = Object.entries(points).flatMap(([value, states]) =>
    [...states].map((state, replica) => ({
      point: { size: value, replica },
      status: state === "f" ? "failed" : "missing",
      report: null,
    })),
  );
  return { manifest: { axes: ["size", "replica"] }, rows: rows as unknown as ResultRow[] } as Results;
}

test("failed jobs are told apart from missing ones", () => {
  const table = tableText(resultsOf({ one: "f", two: "m", some: "ffm", all: "fff" }), String);
  assert.equal(table.split("\n"), [
    "size",
    "one                          failed",
    "two                         missing",
    "some  2 of 3 failed, 1 of 3 missing",
    "all                   3 of 3 failed",
  ]);
});
test("reasons come with how often they hold, the most frequent first, and five at most", () => {
  const errors = ["b", null, "a", "b", "c", "d", "e", "f"];
  const [first, ...others] = reasons(errors).split("\n");
  assert.is(first, "2 failed: b");
  assert.is(others.at(-2), "and 1 more reason");
  assert.is(others.length, 6);
  assert.is(reasons([null]), "");
});
test.run();
