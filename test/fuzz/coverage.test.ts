/** The table of README.md says of each public operation what of the fuzzer drives it, or why nothing does. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { surfaceOf } from "../errors/surface.ts";
import { ALL_ALONG, readCoverage } from "./coverage.ts";
import { WEIGHTS } from "./weights.ts";

const test = suite("fuzz: coverage");

test("the table of what the fuzzer drives is complete and names existing operations", async () => {
  const operations = new Set(WEIGHTS.map(([op]) => op));
  const rows = readCoverage();
  assert.equal([...rows.keys()].sort(), (await surfaceOf(["src/index.ts"])).map(({ key }) => key).sort());
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

test.run();
