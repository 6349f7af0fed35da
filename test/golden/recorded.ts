/** The records of Linux 6.12, and a test of those of some files. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadScenarios, NOT_BUILT, RECORDS, type Scenario } from "./records.ts";
import { detailFields, replayScenario, selectScenarios, type ScenarioResult } from "./replay.ts";
import { goldenTable, tableIn } from "./table.ts";
import { makeEngineWorld } from "./world.ts";

export const scenarios = loadScenarios(RECORDS);
const selected = selectScenarios(scenarios, { notBuilt: NOT_BUILT });
/** The scenarios that the engine supports. */
export const run = selected.run;
/** The scenarios that the engine does not support. */
export const notRun = selected.notRun;

/** The files of records that each test replays, by the beginning of their names. */
export const GROUPS = {
  basic: ["01-", "02-", "03-"],
  special: ["04-", "05-", "06-", "07-", "08-"],
  "random-anon": ["r1-", "r2-"],
  "random-fork": ["r3-", "r4-"],
  "random-files": ["r5-", "r6-", "r7-"],
};

/** The percentage of detail fields that must match. */
const DETAIL_MIN = 99;

export function named(name: string): Scenario {
  const scenario = scenarios.find((candidate) => candidate.name === name);
  if (scenario === undefined) throw new Error(`no scenario ${name}`);
  return scenario;
}

/** The rows of the table in docs/linux.md, without its head. The last one is the sum. */
export function rowsOnPage(): string[] {
  const document = readFileSync(new URL("../../docs/linux.md", import.meta.url), "utf8");
  return tableIn(document, "6.12").split("\n").slice(2);
}

/** Tests that the engine answers a group's records as the kernel did, and that docs/linux.md has its rows. */
export function testRecords(group: keyof typeof GROUPS): void {
  const test = suite(`golden: ${group}`);
  const isInGroup = ({ file }: Scenario): boolean => GROUPS[group].some((start) => file.startsWith(start));
  const results: ScenarioResult[] = [];

  test("every supported scenario gives the kernel's answers", () => {
    let details = 0;
    let fields = 0;
    for (const scenario of run.filter(isInGroup)) {
      const result = replayScenario(scenario, makeEngineWorld);
      results.push(result);
      const first = result.mismatches.at(0);
      const where = `${scenario.name} #${first?.index} ${first?.op} ${first?.field}`;
      const what = `expected ${JSON.stringify(first?.expected)}, got ${JSON.stringify(first?.got)}`;
      assert.is(result.mismatches.length, 0, `${where}: ${what}`);
      details += result.details.length;
      fields += detailFields(result);
    }
    const percent = (100 * (fields - details)) / fields;
    assert.ok(percent >= DETAIL_MIN, `only ${percent} % of the detail fields match`);
  });

  test("docs/linux.md has the rows of matches; npm run golden -- --table writes them", () => {
    const rows = goldenTable("6.12", scenarios.filter(isInGroup), results).split("\n").slice(2, -1);
    const onPage = rowsOnPage().filter((row) => GROUPS[group].some((start) => row.startsWith(`| ${start}`)));
    assert.equal(rows, onPage);
  });

  test.run();
}
