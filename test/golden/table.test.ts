/** The table of docs/linux.md counts what the records' tests compare. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { mutableFields, withChange } from "./mutate.ts";
import { NOT_BUILT, type Scenario } from "./records.ts";
import { GROUPS, named, notRun, rowsOnPage, run, scenarios } from "./recorded.ts";
import { replayScenario } from "./replay.ts";
import { goldenTable, tableIn, withTable } from "./table.ts";
import { makeEngineWorld } from "./world.ts";

const test = suite("golden: table");

/** Tags that the engine supports; the list of what is not built must not name them. */
const BUILT = ["anon", "fork", "remap", "kernel-access", "advice", "accounting", "exclusive", "file"];

test("every file of records belongs to one test", () => {
  const starts = Object.values(GROUPS).flat();
  for (const file of new Set(scenarios.map(({ file }) => file)))
    assert.is(starts.filter((start) => file.startsWith(start)).length, 1, file);
  assert.ok(run.length > 290, `only ${run.length} scenarios run`);
});

test("the last row is the sum of the others", () => {
  const numbers = rowsOnPage().map((row) =>
    row
      .split("|")
      .slice(2, -1)
      .map((cell) => Number(/(?:100 % of )?([\d,]+)/.exec(cell)?.[1].replaceAll(",", "") ?? 0)),
  );
  const all = numbers.pop()!;
  assert.equal(
    all,
    all.map((_, column) => numbers.reduce((sum, row) => sum + row[column], 0)),
  );
  assert.ok(all[1] > 6600, `only ${all[1]} operations ran`);
});

test("writing the page's table again changes nothing", () => {
  const document = readFileSync(new URL("../../docs/linux.md", import.meta.url), "utf8");
  assert.is(withTable(document, "6.12", tableIn(document, "6.12")), document);
});

test("the table counts each difference in its column and nothing else", () => {
  const scenario = named("a09-dread-then-cpuwrite");
  const cells = (changed: Scenario): string[] => {
    const row = goldenTable("6.12", [changed], [replayScenario(changed, makeEngineWorld)])
      .split("\n")
      .at(-1)!;
    return row.split("|").map((cell) => cell.trim().replace(/ %.*/, ""));
  };
  const right = cells(scenario);
  assert.equal(right.slice(4, 9), ["100", "100", "100", "100", "–"]);
  for (const { path, index, kind } of mutableFields(scenario)) {
    const column = ["st.vma", "st.pm", "flt"].indexOf(kind);
    const wrong = cells(withChange(scenario, index, path));
    const differ = wrong.flatMap((cell, i) => (cell === right[i] ? [] : [i]));
    assert.equal(differ, [column < 0 ? 4 : 5 + column], `${kind} of line ${index}`);
  }
});

test("supported scenarios run, and scenarios that do not run are on the list", () => {
  for (const { tags } of run) assert.not(tags.some((tag) => NOT_BUILT.includes(tag)));
  for (const { scenario, needs } of notRun) {
    assert.ok(needs.length > 0 && needs.every((need) => NOT_BUILT.includes(need)), scenario.name);
    assert.ok(
      scenario.tags.some((tag) => !BUILT.includes(tag)),
      `${scenario.name} needs nothing but what is built`,
    );
  }
});

test.run();
