/** `heteromem sweep` from end to end: what runs, and what is kept. sweep-jobs has jobs of their own kind. */
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import packageJson from "../../package.json" with { type: "json" };
import { planSweep } from "../../src/cli/sweep/plan.ts";
import { engineModule } from "../../tools/build-engine.mjs";
import { file, folder, heteromem, report } from "./command.ts";
import { jobFile, manifest, merged, readJob, SPEC, spec, sweep } from "./sweeping.ts";

const test = suite("heteromem sweep");

test("each job's report is that of heteromem run", () => {
  const { status, stdout, stderr } = sweep(spec, "first");
  assert.is(stderr, "");
  assert.is(status, 0);
  assert.match(stdout, /: 4 jobs: 4 done, 0 failed\n$/);
  const { axes, jobs } = manifest("first");
  assert.equal(axes, ["evict", "workload.seed"]);
  assert.is(jobs.length, 4);
  const { id, config, point } = jobs[3];
  assert.equal(point, { evict: "fifo", "workload.seed": 2 });
  const alone = report("--config", file("alone.json", JSON.stringify(config)));
  const { trace, ...own } = readJob("first", id).report;
  assert.is(trace.file, "gups:size=262144,updates=500,seed=2,init=none");
  assert.equal({ ...own, trace: { ...trace, file: "" } }, { ...alone, trace: { ...alone.trace, file: "" } });
  const lines = merged("first").trimEnd().split("\n");
  assert.is(lines.length, 4);
  assert.is(
    lines[3],
    `{"point":${JSON.stringify(point)},${readFileSync(jobFile("first", id), "utf8").slice(1, -1)}`,
  );
});
test("what is there is not run again; what is missing or cut off is, with the same bytes", () => {
  const before = merged("first");
  const [kept, gone, cut] = manifest("first").jobs.map(({ id }) => id);
  const time = statSync(jobFile("first", kept)).mtimeMs;
  rmSync(jobFile("first", gone));
  writeFileSync(jobFile("first", cut), readFileSync(jobFile("first", cut), "utf8").slice(0, 400));
  writeFileSync(join(folder, "first", "jobs", ".4194999.x.tmp"), "of a process that is gone");
  assert.is(sweep(spec, "first").status, 0);
  assert.is(merged("first"), before);
  assert.is(statSync(jobFile("first", kept)).mtimeMs, time);
  assert.ok(!readdirSync(join(folder, "first", "jobs")).some((name) => name.endsWith(".tmp")));
});
test("another build of the engine does all jobs again", async () => {
  const { engine } = manifest("first");
  const [, built] = /"([0-9a-f]{64})"/.exec(readFileSync("build/engine.js", "utf8"))!;
  assert.is(engine, `${packageJson.version}+${built.slice(0, 12)}`);
  const idsOf = async (version: string): Promise<string[]> => [
    ...(await planSweep(spec, join(folder, "wrong"), version)).jobs.keys(),
  ];
  const own = manifest("first").jobs.map(({ id }) => id);
  assert.equal(await idsOf(engine), own);
  assert.not.ok((await idsOf(`${packageJson.version}+000000000000`)).some((id) => own.includes(id)));
});
test("the digest of the engine is that of the modules and of a worker's code", async () => {
  const modules = ["hmm", "text", "workload"].map((name) => `build/${name}.wasm`);
  assert.is(await engineModule(modules), readFileSync("build/engine.js", "utf8"));
  assert.is.not(await engineModule(modules.slice(1)), await engineModule(modules));
});
test("another axis runs its own jobs only", () => {
  const before = new Set(readdirSync(join(folder, "first", "jobs")));
  const wider = { ...SPEC, axes: { ...SPEC.axes, evict: ["lru", "fifo", "clock"] } };
  const { status, stderr } = heteromem([
    ...["sweep", file("wider.yaml", JSON.stringify(wider)), "--out", join(folder, "first")],
  ]);
  assert.is(status, 0);
  assert.match(stderr, /^2 jobs ran/);
  const after = readdirSync(join(folder, "first", "jobs"));
  assert.is(after.length, before.size + 2);
});
test("shards are disjoint, and together the whole", () => {
  for (const shard of ["1/2", "2/2"]) assert.is(sweep(spec, `shard${shard[0]}`, "--shard", shard).status, 0);
  const of = (out: string): string[] => readdirSync(join(folder, out, "jobs"));
  assert.is(of("shard1").length, 2);
  assert.equal(
    [...of("shard1"), ...of("shard2")].sort(),
    manifest("shard1")
      .jobs.map(({ id }) => `${id}.json`)
      .sort(),
  );
});
test.run();
