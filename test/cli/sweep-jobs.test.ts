/** Jobs of `heteromem sweep` that fail, that replay a trace, and that only a dry run names. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { file, folder, report } from "./command.ts";
import { jobFile, manifest, readJob, SPEC, spec, sweep } from "./sweeping.ts";

const test = suite("heteromem sweep: jobs");

test("a failed job says why, fails the sweep, and runs again only if that is asked for", () => {
  const base = { ...SPEC.base, workload: "gups:size=256KiB,updates=500,init=cpu" };
  const small = { base, axes: { systemMemory: ["2MiB", "64KiB"] } };
  const path = file("fails.json", JSON.stringify(small));
  const { status, stdout, stderr } = sweep(path, "fails");
  assert.is(status, 1);
  assert.match(stdout, /1 done, 1 failed/);
  assert.match(stderr, /^1 failed: .*systemMemory 64KiB is too small.*\n--retry-failed runs/);
  const { id } = manifest("fails").jobs[1];
  const failure = readJob("fails", id);
  assert.is(failure.status, "failed");
  assert.match(failure.error!, /systemMemory 64KiB is too small/);
  const written = (): number => statSync(jobFile("fails", id)).ino;
  const before = written();
  assert.is(sweep(path, "fails").status, 1);
  assert.is(written(), before);
  assert.is(sweep(path, "fails", "--retry-failed").status, 1);
  assert.is.not(written(), before);
});
test("a trace is read once, and its jobs count what heteromem run counts", () => {
  const given = {
    trace: "jacobi.lackey.gz",
    offload: ["@jacobi.offload"],
    deviceMemory: "256KiB",
    systemMemory: "8MiB",
  };
  const programs = join(process.cwd(), "examples", "programs");
  const base = {
    ...given,
    trace: join(programs, given.trace),
    offload: [`@${join(programs, "jacobi.offload")}`],
  };
  const path = file("trace.yaml", `base: ${JSON.stringify(base)}\naxes:\n  evict: [fifo]\n`);
  assert.is(sweep(path, "trace").status, 0);
  const [{ id }] = manifest("trace").jobs;
  const { trace, offload: _, warnings: __, ...own } = readJob("trace", id).report;
  const alone = report("--config", file("alone2.json", JSON.stringify({ ...base, evict: "fifo" })));
  assert.ok(own.faults.device > 0 && own.evictions > 0);
  for (const key of Object.keys(own) as (keyof typeof own)[]) assert.equal(own[key], alone[key], key);
  assert.is(trace.accesses, alone.trace.accesses);
  const cached = readdirSync(join(folder, "trace", "traces")).filter((name) => name.endsWith(".hmt"));
  assert.is(trace.file, `trace ${cached[0].slice(0, -4)}`);
  assert.is(cached.length, 1);
});
test("a dry run prints the jobs and an estimate, and writes no result", () => {
  const { status, stdout } = sweep(spec, "dry", "--dry-run");
  assert.is(status, 0);
  const lines = stdout.trimEnd().split("\n");
  assert.match(lines[0], /^[0-9a-f]{12} {2}evict=lru, workload\.seed=1$/);
  assert.is(lines[4], "4 jobs; 4 to run");
  assert.match(lines[5], /^4 samples took \d+ ms each: about \d+ s with 2 workers$/);
  assert.throws(() => readdirSync(join(folder, "dry", "jobs")));
});
test.run();
