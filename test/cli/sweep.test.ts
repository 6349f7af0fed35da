/** `heteromem sweep` from end to end: what runs, what is kept, and how it is stopped. */
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import packageJson from "../../package.json" with { type: "json" };
import { UserError } from "../../src/cli/errors.ts";
import { planSweep } from "../../src/cli/sweep/plan.ts";
import { parseMemory, parseWorkers } from "../../src/cli/sweep/limits.ts";
import { demandMemory, parseShard } from "../../src/cli/sweep/sweep.ts";
import type { RunReport } from "../../src/cli/report.ts";
import { SweepError } from "../../src/sweep/error.ts";
import type { Manifest } from "../../src/sweep/manifest.ts";
import { engineModule } from "../../tools/build-engine.mjs";
import { file, folder, heteromem, report, startHeteromem, type Outcome } from "./command.ts";

const test = suite("heteromem sweep");

const SMALL = { systemMemory: "2MiB", deviceMemory: "64KiB", backing: "metadata" };
const SPEC = {
  base: { ...SMALL, workload: "gups:size=256KiB,updates=500" },
  axes: { evict: ["lru", "fifo"], "workload.seed": { seeds: 2 } },
};
const spec = file("spec.json", JSON.stringify(SPEC));

function sweep(path: string, out: string, ...more: string[]): Outcome {
  return heteromem(["sweep", path, "--out", join(folder, out), "--workers", "2", "--quiet", ...more]);
}
const manifest = (out: string): Manifest =>
  JSON.parse(readFileSync(join(folder, out, "sweep.json"), "utf8")) as Manifest;
const merged = (out: string): string => readFileSync(join(folder, out, "results.ndjson"), "utf8");
const jobFile = (out: string, id: string): string => join(folder, out, "jobs", `${id}.json`);
const readJob = (out: string, id: string): { status: string; error?: string; report: RunReport } =>
  JSON.parse(readFileSync(jobFile(out, id), "utf8")) as { status: string; report: RunReport };

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
test("Ctrl-C finishes what runs; the sweep goes on later, and ends with the same bytes", async () => {
  const long = { base: { ...SPEC.base, workload: "gups:size=256KiB,updates=15000" }, replicate: 6 };
  const path = file("long.json", JSON.stringify(long));
  const out = join(folder, "stopped");
  mkdirSync(out);
  const child = startHeteromem(["sweep", path, "--out", out, "--workers", "1"]);
  while (!(readdirSync(out).includes("jobs") && readdirSync(join(out, "jobs")).length > 0))
    await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill("SIGINT");
  const [status] = (await once(child, "exit")) as [number];
  assert.is(status, 130);
  const whole = readdirSync(join(out, "jobs"));
  assert.ok(whole.length < 6 && whole.every((name) => /^[0-9a-f]{64}\.json$/.test(name)), whole.join());
  assert.is(sweep(path, "stopped").status, 0);
  assert.is(sweep(path, "unstopped", "--workers", "1").status, 0);
  assert.is(merged("stopped"), merged("unstopped"));
});
test("a second Ctrl-C leaves at once, and what was done stays", async () => {
  const axes = (updates: number[]): object => ({ base: SPEC.base, axes: { "workload.updates": updates } });
  const out = join(folder, "left");
  mkdirSync(join(out, "jobs"), { recursive: true });
  // The third job would take minutes.
  const path = file("minutes.json", JSON.stringify(axes([500, 600, 1e9])));
  const child = startHeteromem(["sweep", path, "--out", out, "--workers", "1"]);
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const whole = (): string[] => readdirSync(join(out, "jobs")).filter((name) => name.endsWith(".json"));
  const until = async (what: () => boolean): Promise<void> => {
    while (!what()) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await until(() => whole().length === 2);
  child.kill("SIGINT");
  await until(() => said.includes("once more leaves at once"));
  assert.is(child.exitCode, null);
  child.kill("SIGINT");
  const [status] = (await once(child, "exit")) as [number];
  assert.is(status, 130);
  assert.is(whole().length, 2);
  const { status: again, stderr } = heteromem([
    ...["sweep", file("seconds.json", JSON.stringify(axes([500, 600]))), "--out", out],
  ]);
  assert.is(again, 0);
  assert.match(stderr, /^0 jobs ran/);
});
const ERRORS: [name: string, content: object | string, message: RegExp][] = [
  ["none", "{", /this is no JSON/],
  ["field", { axis: {} }, /the sweep must not have the field axis/],
  ["empty", { base: SPEC.base, axes: { evict: ["lru"] }, exclude: [{ evict: "lru" }] }, /at least one job/],
  ["config", { base: { ...SPEC.base, nothing: 1 } }, /base: the config must not have the field nothing/],
  ["value", { base: SPEC.base, axes: { devices: [1, 99] } }, /devices=99: devices must be <= 7/],
  [
    "point",
    { base: SPEC.base, axes: { deviceMemory: ["1MiB", "5KiB"] } },
    /deviceMemory=5KiB: deviceMemory 5KiB: /,
  ],
  ["input", { base: SMALL }, /expected a trace or --workload/],
  ["workload", { base: { workload: "nothing" } }, /no workload is named "nothing"/],
  ["trace", { base: { trace: "no-such-file" } }, /no-such-file: no such file/],
  ["files", { base: { ...SPEC.base, html: "x.html" } }, /html: expected in a run, not in a sweep/],
];
for (const [name, content, message] of ERRORS) {
  test(`wrong input is refused before anything runs: ${name}`, async () => {
    const path = file(`wrong-${name}.json`, typeof content === "string" ? content : JSON.stringify(content));
    let found = "";
    await planSweep(path, join(folder, "wrong"), "1").catch((error: unknown) => {
      assert.ok(error instanceof UserError || error instanceof SweepError, String(error));
      found = error.message;
    });
    assert.match(found, message);
  });
}
test("the command says in one line what is wrong, and exits with 2", () => {
  const { status, stderr, stdout } = sweep(file("x.json", JSON.stringify({ axis: 1 })), "wrong");
  assert.is(stderr, `heteromem: ${join(folder, "x.json")}: the sweep must not have the field axis\n`);
  assert.is(stdout, "");
  assert.is(status, 2);
});
test("options that cannot be are refused", () => {
  for (const text of ["3/2", "0/2", "1"])
    assert.throws(() => parseShard(text), new RegExp(`^--shard ${text}: expected i/n`));
  assert.throws(() => parseWorkers("0"), /^--workers 0: expected a number from 1 to 1024/);
  assert.throws(() => parseMemory("much"), /^--memory much: expected a size/);
  assert.is(parseMemory("3GiB"), 3 * 2 ** 30);
  assert.equal(parseShard("2/8"), { i: 2, n: 8 });
});
test("a job that does not fit into the memory even alone is refused", async () => {
  const { jobs } = await planSweep(spec, join(folder, "wrong"), "1");
  // 2 MiB + 2 MiB of the device are 1,024 frames: 96 MiB and 40,960 bytes.
  demandMemory(jobs, 96 * 2 ** 20 + 40960);
  assert.throws(() => demandMemory(jobs, 96 * 2 ** 20 + 40959), /--memory .*: a job may use 96.0 MiB/);
});
test.run();
