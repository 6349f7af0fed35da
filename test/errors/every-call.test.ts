/**
 * Every public call has a row in rows-*.ts, and the rows' judge reports what is wrong. The test reads the
 * calls from the sources: a new export, method or parameter fails here until it has its row.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bag, type Argument, type Wrong } from "./arguments.ts";
import { EXPORTS, Refusals } from "./refuse.ts";
import { exploreRows } from "./rows-explore.ts";
import { fileRows } from "./rows-file.ts";
import { hmmRows } from "./rows-hmm.ts";
import { migrateRows } from "./rows-migrate.ts";
import { mirrorRows } from "./rows-mirror.ts";
import { handleRows, mmRows } from "./rows-mm.ts";
import { pageRows } from "./rows-page.ts";
import { tableRows } from "./rows-table.ts";
import { testingRows } from "./rows-testing.ts";
import type { Table } from "./row.ts";
import { surfaceOf } from "./surface.ts";
import { builds } from "../util/builds.ts";

const table: Table = {
  ...mmRows,
  ...handleRows,
  ...hmmRows,
  ...pageRows,
  ...fileRows,
  ...exploreRows,
  ...mirrorRows,
  ...migrateRows,
  ...tableRows,
  ...testingRows,
};
const surface = await surfaceOf();

const rows = suite("errors: the table");
rows("every export has a row, and every row an export", () => {
  const keys = surface.map(({ key }) => key);
  assert.equal(
    keys.filter((key) => !(key in table)),
    [],
    "exports without a row",
  );
  assert.equal(
    Object.keys(table).filter((key) => !keys.includes(key)),
    [],
    "rows without an export",
  );
  assert.ok(keys.length > 150);
});
rows("every function and class at run time is in the surface", () => {
  const known = new Set(surface.map(({ key }) => key.replace(/^new /, "").split(/[#.]/)[0]));
  const unknown = Object.entries(EXPORTS).filter(
    ([name, value]) => typeof value === "function" && !known.has(name),
  );
  assert.equal(
    unknown.map(([name]) => name),
    [],
  );
});
rows("calls that accept wrong values, change state, say too little or lack a row are reported", async () => {
  const wrong = (value: number, outcome: Wrong["outcome"], says: RegExp): Wrong => ({
    given: () => value,
    outcome,
    says,
  });
  const length: Argument = {
    right: () => 4096,
    wrongs: [
      wrong(8192, "RangeError", /./),
      wrong(0, "RangeError", /an odd number/),
      wrong(-1, "TypeError", /./),
    ],
  };
  const callable = { key: "Mm#mmap", parameters: ["args", "args.length", "args.prot"] };
  const test = new Refusals(callable, { args: { args: bag(false), "args.length": length } }, builds[0][1]);
  await test.run();
  const expected = [
    /the row lacks argument args\.prot/,
    /args\.length = 8192: not refused/,
    /args\.length = 8192: linear memory changed/,
    /args\.length = 0: the message lacks .*odd/,
    /args\.length = -1: RangeError, not TypeError/,
  ];
  assert.is(test.problems.length, expected.length, test.problems.join("\n"));
  test.problems.forEach((problem, i) => assert.match(problem, expected[i]));
});
rows.run();
