import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { STRICT_FIELDS } from "./compare.ts";
import { mutableFields, withChange } from "./mutate.ts";
import { loadScenarios, NOT_BUILT, RECORDS, type GoldenRecord, type Scenario } from "./records.ts";
import { detailFields, replayScenario, selectScenarios, type ScenarioResult } from "./replay.ts";
import { goldenTable, tableIn, withTable } from "./table.ts";
import { EngineWorld, makeEngineWorld } from "./world.ts";

const test = suite("golden");
const scenarios = loadScenarios(RECORDS);
const { run, notRun } = selectScenarios(scenarios, { notBuilt: NOT_BUILT });

/** Tags that the engine supports; the list of what is not built must not name them. */
const BUILT = ["anon", "fork", "remap", "kernel-access", "advice", "accounting", "exclusive", "file"];
/** The percentage of detail fields that must match. */
const DETAIL_MIN = 99;

/** The results of the first test. */
const results: ScenarioResult[] = [];

function named(name: string): Scenario {
  const scenario = scenarios.find((candidate) => candidate.name === name);
  if (scenario === undefined) throw new Error(`no scenario ${name}`);
  return scenario;
}

test("every supported scenario gives the kernel's answers", () => {
  let operations = 0;
  let details = 0;
  let fields = 0;
  for (const scenario of run) {
    const result = replayScenario(scenario, makeEngineWorld);
    results.push(result);
    const first = result.mismatches.at(0);
    const where = `${scenario.name} #${first?.index} ${first?.op} ${first?.field}`;
    const what = `expected ${JSON.stringify(first?.expected)}, got ${JSON.stringify(first?.got)}`;
    assert.is(result.mismatches.length, 0, `${where}: ${what}`);
    operations += result.operations;
    details += result.details.length;
    fields += detailFields(result);
  }
  assert.ok(run.length > 290, `only ${run.length} scenarios ran`);
  assert.ok(operations > 6600, `only ${operations} operations ran`);
  const percent = (100 * (fields - details)) / fields;
  assert.ok(percent >= DETAIL_MIN, `only ${percent} % of the detail fields match`);
});

test("docs/linux.md has the table of matches; npm run golden -- --table writes it", () => {
  const document = readFileSync(new URL("../../docs/linux.md", import.meta.url), "utf8");
  const table = goldenTable("6.12", scenarios, results);
  assert.is(tableIn(document, "6.12"), table);
  assert.is(withTable(document, "6.12", table), document, "writing it again changes nothing");
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

test("a changed record is a mismatch in the changed field and nowhere else", () => {
  const seen = new Set<string>();
  for (const scenario of run) {
    for (const { kind, path, index, strict } of mutableFields(scenario)) {
      if (!strict || seen.has(kind)) continue;
      seen.add(kind);
      const { mismatches } = replayScenario(withChange(scenario, index, path), makeEngineWorld);
      assert.equal(
        mismatches.map((mismatch) => [mismatch.index, mismatch.field]),
        [[scenario.lines[index].i, path.join(".")]],
        `${kind} in ${scenario.name}`,
      );
    }
  }
  // harness.test.ts shows fields of KSM alone, on a stand-in.
  const fields = STRICT_FIELDS.filter((field) => field !== "shared" && field !== "sharing");
  for (const kind of [...fields, "st.rss", "st.dev", "st.snap", "st.dpt", "st.inv"]) {
    assert.ok(seen.has(kind), `no record has ${kind}`);
  }
});

test("verify() reports a broken invariant after the operation that broke it", () => {
  /** Leaves a device entry that outlives the CPU's, like a driver that forgets an invalidation. */
  class Forgetful extends EngineWorld {
    override perform(operation: Parameters<EngineWorld["perform"]>[0]): GoldenRecord {
      const table = this.processes.get(0)?.handles.get(0)?.table;
      const before = table?.snapshot(0x100000000000, this.win);
      const line = super.perform(operation);
      if (operation.i === 2) table!.map(0x100000000000, before!);
      return line;
    }
  }
  const result = replayScenario(named("a09-dread-then-cpuwrite"), ({ win }) => new Forgetful(win, 2 << 20));
  assert.equal(
    result.mismatches.map(({ index, field }) => [index, field]),
    [[2, "verify"]],
  );
  assert.match(String(result.mismatches[0].got), /EINVARIANT/);
});

test("an engine that throws is a mismatch, and so is memory in use at the end", () => {
  class Throwing extends EngineWorld {
    override perform(operation: Parameters<EngineWorld["perform"]>[0]): GoldenRecord {
      if (operation.i === 1) throw new Error("out of order");
      return super.perform(operation);
    }
  }
  const thrown = replayScenario(named("a09-dread-then-cpuwrite"), ({ win }) => new Throwing(win, 2 << 20));
  assert.equal(
    thrown.mismatches.map(({ index, field }) => [index, field]),
    [[1, "perform"]],
  );

  class Leaking extends EngineWorld {
    override close(): void {
      this.processes.get(0)!.mm.pin(0x100000001000, 1);
      super.close();
    }
  }
  const leaked = replayScenario(named("a09-dread-then-cpuwrite"), ({ win }) => new Leaking(win, 2 << 20));
  assert.equal(
    leaked.mismatches.map(({ field }) => field),
    ["close"],
  );
});

test.run();
