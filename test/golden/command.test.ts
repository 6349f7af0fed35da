/** `npm run golden` replays records, shows one scenario, and refuses wrong usage. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withChange } from "./mutate.ts";
import { NOT_BUILT, type GoldenRecord } from "./records.ts";
import { named, scenarios } from "./recorded.ts";

const test = suite("golden: the command");

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
