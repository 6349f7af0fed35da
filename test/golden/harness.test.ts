import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decodeBytes, encodeBytes, encodePage, fnv1a, patternPages } from "./codec.ts";
import { loadScenarios, NOT_BUILT, RecordError, RECORDS, tagsOf } from "./records.ts";
import { detailFields, replayScenario, selectScenarios } from "./replay.ts";
import { RecordedWorld } from "./recorded-world.ts";
import { mutableFields, withChange } from "./mutate.ts";

const test = suite("golden harness");
const scenarios = loadScenarios(RECORDS);

test("byte strings survive a round trip", () => {
  assert.is(encodeBytes([2, 2, 2, 255]), "02*3 ff");
  assert.equal(decodeBytes("02*3 ff"), [2, 2, 2, 255]);
  assert.is(encodeBytes([]), "");
  assert.equal(decodeBytes(""), []);
  assert.throws(() => decodeBytes("2*3"), /not a byte with a count/);
});

test("pages are written as one byte or as first byte and hash", () => {
  assert.is(fnv1a(new Uint8Array()), 0x811c9dc5);
  assert.is(fnv1a(new TextEncoder().encode("foobar")), 0xbf9cf968);
  const page = patternPages(1, 21);
  assert.is(encodePage(page), 21);
  page[100] = 7;
  assert.is(encodePage(page), "15:96255d47", "as a kernel's record has it");
});

test("all records exist, and their operations need the tags that the index gives them", () => {
  assert.is(scenarios.length, 340);
  assert.is(
    scenarios.reduce((n, { lines }) => n + lines.length - 1, 0),
    7569,
  );
  const index = JSON.parse(readFileSync(join(RECORDS, "index.json"), "utf8")) as {
    s: string;
    tags: string[];
  }[];
  const indexed = new Map(index.map(({ s, tags }) => [s, [...tags].sort()]));
  for (const { name, lines } of scenarios) {
    assert.equal([...new Set(lines.flatMap(tagsOf))].sort(), indexed.get(name), name);
  }
});

test("a world with the recorded answers has no mismatch and emits the records", () => {
  let details = 0;
  for (const scenario of scenarios) {
    const result = replayScenario(scenario, (of) => new RecordedWorld(of));
    assert.equal(result.mismatches, [], scenario.name);
    assert.equal(result.details, [], scenario.name);
    assert.is(result.operations, scenario.lines.length - 1);
    details += detailFields(result);
    assert.is(JSON.stringify(result.lines), JSON.stringify(scenario.lines), scenario.name);
  }
  assert.ok(details > 15_000, "detail fields are compared");
});

test("a change of any kind of field is a mismatch in that field alone", () => {
  const seen = new Set<string>();
  for (const scenario of scenarios) {
    for (const { kind, path, index, strict } of mutableFields(scenario)) {
      if (seen.has(kind)) continue;
      seen.add(kind);
      const changed = withChange(scenario, index, path);
      const result = replayScenario(changed, () => new RecordedWorld(scenario));
      const [noticed, silent] = strict
        ? [result.mismatches, result.details]
        : [result.details, result.mismatches];
      assert.equal(
        noticed.map((mismatch) => [mismatch.index, mismatch.field]),
        [[scenario.lines[index].i, path.join(".")]],
        kind,
      );
      assert.equal(silent, [], kind);
    }
  }
  const kinds =
    "ret cpages faults snap ok sig rets data vec current shared sharing flt smaps " +
    "st.rss st.dev st.vma st.pm st.snap st.dpt st.inv";
  for (const kind of kinds.split(" ")) assert.ok(seen.has(kind), `no record has ${kind}`);
});

test("a missing or additional process, handle or field is a mismatch", () => {
  const scenario = scenarios.find(({ name }) => name === "c13-dev-fork-parent-exit")!;
  for (const edit of [
    (line: (typeof scenario.lines)[0]) => delete line.st["1"],
    (line: (typeof scenario.lines)[0]) => (line.st["2"] = line.st["0"]),
    (line: (typeof scenario.lines)[0]) => delete line.st["0"].h["1"],
    (line: (typeof scenario.lines)[0]) => delete line.ret,
    (line: (typeof scenario.lines)[0]) => (line.cpages = 3),
  ]) {
    const changed = structuredClone(scenario);
    edit(changed.lines[4]);
    const result = replayScenario(changed, () => new RecordedWorld(scenario));
    assert.is(result.mismatches.length, 1);
    assert.is(result.mismatches[0].index, 3);
  }
});

test("events are a sequence, except where the kernel's order is unspecified", () => {
  const swapped = (op: string): number => {
    const events = (inv: unknown[]): boolean =>
      inv.length > 1 && new Set(inv.map((e) => JSON.stringify(e))).size > 1;
    for (const scenario of scenarios) {
      const index = scenario.lines.findIndex(
        (line) => line.op === op && events(line.st["0"]?.h["0"]?.inv ?? []),
      );
      if (index < 0) continue;
      const changed = structuredClone(scenario);
      changed.lines[index].st["0"].h["0"].inv.reverse();
      return replayScenario(changed, () => new RecordedWorld(scenario)).mismatches.length;
    }
    throw new Error(`no record of ${op} with several events`);
  };
  assert.is(swapped("drel"), 0);
  assert.is(swapped("close"), 0);
  assert.is(swapped("dmig"), 1);
  assert.is(swapped("munmap"), 1);
});

test("a verify() that throws is a mismatch and ends the scenario", () => {
  const scenario = scenarios.find(({ name }) => name === "a09-dread-then-cpuwrite")!;
  class Broken extends RecordedWorld {
    private steps = 0;
    override verify(): void {
      if (++this.steps === 3) throw new Error("refcount of page 7");
    }
  }
  const result = replayScenario(scenario, (of) => new Broken(of));
  assert.is(result.mismatches.length, 1);
  assert.is(result.mismatches[0].field, "verify");
  assert.is(result.mismatches[0].index, 1);
  assert.match(String(result.mismatches[0].got), "refcount of page 7");
  assert.is(result.operations, 2);
});

test("scenarios are selected by name and tags; a scenario with an unknown need does not run", () => {
  const select = (options: { only?: string; tags?: string[] }) =>
    selectScenarios(scenarios, { notBuilt: NOT_BUILT, ...options });
  assert.ok(select({}).run.length + select({}).notRun.length === 340);
  assert.equal(
    select({ only: "a01-snap-hole" }).run.map(({ name }) => name),
    ["a01-snap-hole"],
  );
  assert.ok(select({ only: "r-anon-" }).run.length > 1);
  assert.ok(select({ tags: ["anon"] }).run.every(({ tags }) => tags.every((tag) => tag === "anon")));
  assert.equal(tagsOf({ s: "x", i: 0, op: "teleport" }), ["unknown operation teleport"]);
  assert.equal(tagsOf({ s: "x", i: 0, op: "madv", args: [0, 1, "fancy"] }), ["unknown advice fancy"]);
});

test("records are read plain and compressed, and the error for a broken line names the line", () => {
  const dir = mkdtempSync(join(tmpdir(), "heteromem-golden-"));
  try {
    const text = scenarios[0].lines.map((line) => JSON.stringify(line)).join("\n");
    writeFileSync(join(dir, "one.jsonl"), text);
    writeFileSync(join(dir, "one.jsonl.gz"), gzipSync("a plain file of the same name goes first"));
    writeFileSync(join(dir, "two.jsonl.gz"), gzipSync(`${text}\n`));
    const read = loadScenarios(dir);
    assert.equal(
      read.map(({ name, file }) => [name, file]),
      [
        [scenarios[0].name, "one.jsonl"],
        [scenarios[0].name, "two.jsonl.gz"],
      ],
    );
    assert.equal(read[0].tags, scenarios[0].tags, "without an index the operations show the tags");
    writeFileSync(join(dir, "two.jsonl.gz"), gzipSync(`${text}\n{"s":"cut`));
    assert.throws(
      () => loadScenarios(dir),
      (error: unknown) => error instanceof RecordError && /^two\.jsonl\.gz:\d+: /.test(error.message),
    );
  } finally {
    rmSync(dir, { recursive: true });
  }
  assert.throws(() => loadScenarios(join(dir, "nowhere")), /no such directory/);
});

test.run();
