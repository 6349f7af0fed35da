import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
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

// ── The command ───────────────────────────────────────────────────────────────────────────────────────────

const RUN = fileURLToPath(new URL("run.ts", import.meta.url));

function golden(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ["--import", "./tools/typescript.mjs", RUN, ...args], (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

async function withDirectory(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "heteromem-golden-"));
  try {
    await body(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function write(path: string, lines: GoldenRecord[]): void {
  writeFileSync(path, lines.map((line) => JSON.stringify(line)).join("\n") + "\n");
}

test("the command replays a directory without an index and emits the engine's lines", async () => {
  await withDirectory(async (dir) => {
    const lines = [
      ...named("a09-dread-then-cpuwrite").lines,
      ...named("c10-dev-fork-child-exit-dwrite").lines,
    ];
    mkdirSync(join(dir, "in"));
    write(join(dir, "in", "some.jsonl"), lines);
    const { code, out } = await golden(join(dir, "in"), "--emit", join(dir, "out"));
    assert.match(
      out,
      /golden: 2 scenarios, 14 operations, 0 strict mismatches, detail 100\.00 %, 0 not run\n$/,
    );
    assert.is(code, 0);
    const emitted = readFileSync(join(dir, "out", "some.jsonl"), "utf8");
    assert.is(emitted, readFileSync(join(dir, "in", "some.jsonl"), "utf8"));
  });
});

test("the command fails for a mismatch and for unknown operations", async () => {
  await withDirectory(async (dir) => {
    const scenario = named("a09-dread-then-cpuwrite");
    write(join(dir, "one.jsonl"), withChange(scenario, 2, ["cpages"]).lines);
    const wrong = await golden(dir);
    assert.is(wrong.code, 1);
    assert.match(
      wrong.out,
      /a09-dread-then-cpuwrite #1 dread 0 0 4\n +cpages: expected 5\n +got 4\n[^]*1 strict mismatches/,
    );

    const strange = structuredClone(scenario.lines);
    strange[2].op = "teleport";
    write(join(dir, "one.jsonl"), strange);
    const unknown = await golden(dir);
    assert.is(unknown.code, 1);
    assert.match(unknown.out, /unknown operation teleport\n.*0 operations.*1 not run\n$/);

    // A scenario on the list of what is not built is no failure.
    const later = scenarios.find(({ tags }) => tags.some((tag) => NOT_BUILT.includes(tag)));
    if (later === undefined) return;
    write(join(dir, "one.jsonl"), later.lines);
    assert.is((await golden(dir)).code, 0);
  });
});

test("the command shows the operations of one scenario and refuses unreadable files", async () => {
  const one = await golden("--only", "a09-dread-then-cpuwrite");
  assert.is(one.code, 0);
  assert.match(one.out, /#2 p0 w 1 1 44 {2}\{"ok":1,"flt":1\} {2}ok\n/);
  assert.is((await golden("--only", "no-such-scenario")).code, 2);
  assert.is((await golden("--colour")).code, 2);
  const nowhere = await golden(join(tmpdir(), "no-such-directory"));
  assert.is(nowhere.code, 2);
  assert.match(nowhere.err, /no such directory/);
});

test.run();
