/** A sample of the records of Linux 7.3, which `npm run golden` replays all of. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { mutableFields, withChange } from "./mutate.ts";
import { loadAll, type Scenario } from "./records.ts";
import { replayScenario } from "./replay.ts";
import { tableIn } from "./table.ts";
import { makeEngineWorld } from "./world.ts";

const test = suite("golden 7.3");
const scenarios = loadAll().filter(({ linux }) => linux === "7.3");

/** The sample: every so-many-th scenario, and fewer of those with huge pages. */
const STEP = 6;
const WINDOW_MAX = 64;
const sample = scenarios.filter(({ win }, i) => i % (win <= WINDOW_MAX ? STEP : 5 * STEP) === 0);

test("a sample of the scenarios gives the kernel's answers", () => {
  for (const scenario of sample) {
    const { mismatches } = replayScenario(scenario, makeEngineWorld);
    const first = mismatches.at(0);
    const where = `${scenario.name} #${first?.index} ${first?.op} ${first?.field}`;
    const what = `expected ${JSON.stringify(first?.expected)}, got ${JSON.stringify(first?.got)}`;
    assert.is(mismatches.length, 0, `${where}: ${what}`);
  }
});

function named(name: string): Scenario {
  const scenario = scenarios.find((candidate) => candidate.name === name);
  if (scenario === undefined) throw new Error(`no scenario ${name}`);
  return scenario;
}

test("a changed record is a difference in the changed field and nowhere else", () => {
  const seen = new Set<string>();
  for (const name of ["kf14-lpinb", "ke01-mthp-migb", "kf24-dfailb"]) {
    const scenario = named(name);
    const before = replayScenario(scenario, makeEngineWorld);
    for (const { kind, path, index } of mutableFields(scenario)) {
      if (seen.has(kind)) continue;
      seen.add(kind);
      const { mismatches, details } = replayScenario(withChange(scenario, index, path), makeEngineWorld);
      const changed = [...mismatches, ...details].map(({ index: at, field }) => `${at} ${field}`);
      const others = before.details.map(({ index: at, field }) => `${at} ${field}`);
      assert.equal(
        changed.filter((field) => !others.includes(field)),
        [`${scenario.lines[index].i} ${path.join(".")}`],
        `${kind} in ${name}`,
      );
    }
  }
  for (const kind of ["ret", "data", "st.coh", "st.snap", "st.dpt", "st.inv", "kpf"]) {
    assert.ok(seen.has(kind), `no record has ${kind}`);
  }
});

test("docs/linux.md has a row for each file of records", () => {
  const document = readFileSync(new URL("../../docs/linux.md", import.meta.url), "utf8");
  const rows = tableIn(document, "7.3").split("\n").slice(2);
  const files = [...new Set(scenarios.map(({ file }) => file))].sort();
  const count = (of: Scenario[]): string =>
    `${of.length} | ${of.reduce((sum, { lines }) => sum + lines.length - 1, 0).toLocaleString("en-US")}`;
  const expected = files.map((file) => {
    const of = scenarios.filter((scenario) => scenario.file === file);
    return `| ${file.replace(/\.jsonl\.gz$/, "")} | ${count(of)} | `;
  });
  expected.push(`| **all** | ${count(scenarios)} | `);
  assert.is(rows.length, expected.length);
  rows.forEach((row, i) =>
    assert.ok(row.startsWith(expected[i]), `${row} does not begin with ${expected[i]}`),
  );
});

test.run();
