/** Results on disk: which are there, and what they are merged to. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SweepError } from "../../../src/sweep/error.ts";
import { manifestOf, mergeResults } from "../../../src/sweep/manifest.ts";
import { JobStore, resultText } from "../../../src/sweep/store.ts";

const test = suite("sweep: results on disk");
const folder = mkdtempSync(join(tmpdir(), "heteromem-merge-"));
test.after(() => rmSync(folder, { recursive: true }));

const ids = ["a".repeat(64), "b".repeat(64)];
const jobs = ids.map((id, seed) => ({ id, point: { seed }, config: { seed } }));
const manifest = manifestOf({ name: "two", engine: "1", axes: ["seed"], folder, jobs });

test("results are merged when all are there, in the order of the sweep", async () => {
  const store = new JobStore(join(folder, "whole"));
  store.open();
  const merged = join(store.dir, "results.ndjson");
  const text = (id: string): string => resultText(id, null, { status: "failed", error: "full" });
  await store.write(ids[1], text(ids[1]));
  assert.equal(await mergeResults(store, manifest), {
    ...{ done: 0, failed: 1, errors: ["full"], missing: [jobs[0]] },
  });
  assert.not(existsSync(merged));
  await store.write(ids[0], text(ids[0]));
  assert.is((await mergeResults(store, manifest)).missing.length, 0);
  const points = readFileSync(merged, "utf8")
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { point: object }).point);
  assert.equal(points, [{ seed: 0 }, { seed: 1 }]);
});
test("a result that cannot be written leaves no file behind", async () => {
  const store = new JobStore(join(folder, "blocked"));
  store.open();
  rmSync(join(store.dir, "jobs"), { recursive: true });
  writeFileSync(join(store.dir, "jobs"), "a file in the folder's place");
  const failure = await store.write(ids[0], "{}\n").catch((error: unknown) => error);
  assert.instance(failure, SweepError);
  assert.equal(readdirSync(store.dir), ["jobs"]);
});
test.run();
