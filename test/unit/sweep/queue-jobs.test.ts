/** What a worker does with a stranger's job: it runs a config, or says why not. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { JobChecker } from "../../../src/cli/sweep/queue/check-job.ts";
import { parseSilence } from "../../../src/cli/sweep/queue/connect.ts";
import { TraceFetcher } from "../../../src/cli/sweep/queue/fetch-trace.ts";
import { runJob } from "../../../src/cli/sweep/task.ts";
import { Gate } from "../../../src/cli/sweep/gate.ts";
import { Pool } from "../../../src/cli/sweep/pool.ts";
import { RefusedError, runQueued, type Parts } from "../../../src/cli/sweep/queue/worker.ts";
import { TIME_PRESETS } from "../../../src/sim.ts";
import { sha256 } from "../../../src/sweep/canonical.ts";
import { contentOf, idOf, jobOf } from "../../../src/sweep/job.ts";
import { withField } from "../../../src/sweep/fields.ts";

const test = suite("sweep: jobs of a queue");
const folder = mkdtempSync(join(tmpdir(), "heteromem-queue-"));
test.after(() => rmSync(folder, { recursive: true }));

const job = jobOf({ workload: "gups:size=1MiB", deviceMemory: "1MiB", backing: "metadata" }, null, "1.0.0");
const id = idOf(contentOf(job));
const checker = new JobChecker("1.0.0");

test("a job with its id is taken, and one whose model the sweep has changed", () => {
  assert.equal(checker.check(id, JSON.parse(JSON.stringify(job))).job, job);
  const changed = withField({ time: "pcie3-1080ti" }, "time.cpu.fault", 7, (name) => name);
  const other = jobOf({ workload: "gups", ...changed }, null, "1.0.0");
  assert.is(checker.check(idOf(contentOf(other)), other).job, other);
});

const model = TIME_PRESETS["pcie3-1080ti"];
const HOSTILE: [what: string, data: unknown, message: RegExp][] = [
  ["nothing", null, /refused: the job must be object/],
  ["code", { ...job, code: "process.exit()" }, /must not have the field code/],
  [
    "a path of a trace",
    { ...job, config: { ...job.config, trace: "/etc/passwd" } },
    /must not have the field trace/,
  ],
  ["a path for a digest", { ...job, config: {}, trace: "../../etc/passwd" }, /refused: trace/],
  ["no digest", { engine: job.engine, config: job.config }, /refused: trace must be null or a digest/],
  ["a list", { ...job, config: [] }, /refused: config must be object/],
  [
    "a long workload",
    { ...job, config: { workload: `gups:${"x".repeat(1000)}` } },
    /refused: config.workload must NOT have more than 1000 characters/,
  ],
  ["a file to write", { ...job, config: { ...job.config, html: "/tmp/x" } }, /must not have the field html/],
  ["a program", { ...job, config: { ...job.config, binary: "/bin/sh" } }, /must not have the field binary/],
  ["a file of ranges", { ...job, config: { ...job.config, offload: ["@/etc/passwd"] } }, /the field offload/],
  [
    "a file of a model",
    { ...job, config: { ...job.config, time: "/etc/passwd" } },
    /refused: time \/etc\/passwd: expected none/,
  ],
  ["no model", { ...job, config: { ...job.config, time: { name: "x" } } }, /refused: time: the model/],
  [
    "a model and more",
    { ...job, config: { ...job.config, time: { ...model, x: 1 } } },
    /must not have the field x/,
  ],
  ["a policy", { ...job, config: { ...job.config, evict: { name: "x" } } }, /refused: config.evict/],
  ["a prototype", JSON.parse(`{"engine":"1.0.0","trace":null,"config":{"__proto__":{"x":1}}}`), /refused/],
  ["neither trace nor workload", { ...job, config: {} }, /either a trace or a workload/],
  ["both", { ...job, trace: "a".repeat(64) }, /either a trace or a workload/],
  ["no workload that is", { ...job, config: { workload: "nothing" } }, /refused: no workload is named/],
  [
    "another version",
    { ...job, engine: "2.0.0" },
    /refused: a job of heteromem 2\.0\.0; this worker is 1\.0\.0/,
  ],
  [
    "another content",
    { ...job, config: { ...job.config, seed: 5 } },
    /the id is not that of the job's content/,
  ],
  ["much", { ...job, config: { ...job.config, advise: Array(400000).fill("x") } }, /the job is too long/],
];
for (const [what, data, message] of HOSTILE)
  test(`a hostile job is refused: ${what}`, () => assert.throws(() => checker.check(id, data), message));

test("traces are fetched by their digest, which is checked", async () => {
  const source = join(folder, "source");
  const traces = join(folder, "traces");
  for (const one of [source, traces]) new TraceFetcher(one, null);
  const digest = sha256("a trace");
  const lie = sha256("another trace");
  writeFileSync(join(source, `${digest}.hmt`), "a trace");
  writeFileSync(join(source, `${lie}.hmt`), "a lie");
  const fetcher = new TraceFetcher(traces, source);
  await Promise.all([fetcher.need(digest), fetcher.need(digest)]);
  assert.equal(readdirSync(traces), [`${digest}.hmt`]);
  const failure = (one: string, from: TraceFetcher): Promise<string> =>
    from.need(one).then(
      () => "",
      (error: Error) => error.message,
    );
  assert.match(
    await failure(lie, fetcher),
    /^trace [0-9a-f]{64}: its bytes have another digest, [0-9a-f]{64}$/,
  );
  assert.match(await failure("0".repeat(64), fetcher), /no such file/);
  assert.match(
    await failure("0".repeat(64), new TraceFetcher(traces, null)),
    /--trace-source says where it is/,
  );
  assert.equal(readdirSync(traces), [`${digest}.hmt`]);
});
test("a job that needs more memory than there is is refused; others run", async () => {
  const parts = (memory: number): Parts => ({
    checker,
    traces: new TraceFetcher(folder, null),
    folder,
    pool: new Pool({ run: () => Promise.resolve("a result"), close: () => Promise.resolve() }, 1, memory),
    store: null,
  });
  assert.is(await runQueued(id, job, parts(2 ** 30)), "a result");
  const small = await runQueued(id, job, parts(1)).catch((error: unknown) => error);
  assert.ok(small instanceof RefusedError);
  assert.match(small.message, /--memory is 1$/);
});
test("the gate lets in whom workers and memory suffice for, in order", async () => {
  const gate = new Gate(2, 10);
  const inside: string[] = [];
  const enter = (name: string, bytes: number): void => void gate.enter(bytes).then(() => inside.push(name));
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
  enter("a", 6);
  enter("b", 5); // does not fit beside a
  enter("c", 1); // would, but waits its turn
  enter("d", 1);
  await settle();
  assert.equal(inside, ["a"]);
  gate.leave(6);
  await settle();
  assert.equal(inside, ["a", "b", "c"]); // two workers
  gate.leave(1);
  await settle();
  assert.equal(inside, ["a", "b", "c", "d"]);
});
test("another job waits behind a short one, and none behind a long one", async () => {
  const ends: (() => void)[] = [];
  const run = (): Promise<string> => new Promise((resolve) => ends.push(() => resolve("a result")));
  const pool = new Pool({ run, close: () => Promise.resolve() }, 2, 2 ** 40);
  const content = contentOf(job);
  let inside = 0;
  const start = async (): Promise<void> => {
    const enter = await pool.enter(content);
    inside++;
    await enter({ job, traces: folder });
  };
  const settle = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const all = Array.from({ length: 9 }, start);
  await settle(0);
  assert.is(inside, 2); // two workers, and nothing is known of the jobs
  ends[0]();
  await settle(0);
  assert.is(inside, 5); // one is done; two run and two wait
  await settle(250);
  ends[1]();
  await settle(0);
  assert.is(inside, 5); // it took long: three are inside, no further one comes
  ends[2]();
  ends[3]();
  await settle(0);
  assert.is(inside, 6); // two are inside
  ends[4]();
  ends[5]();
  while (inside < 9) await settle(0).then(() => ends.at(-1)!());
  for (const end of ends) end();
  await Promise.all(all);
});
test("a thread runs its jobs one after the other", async () => {
  const ended: string[] = [];
  const start = async (workload: string): Promise<void> => {
    const content = { workload, deviceMemory: "1MiB", systemMemory: "4MiB", backing: "metadata" };
    await runJob({ job: jobOf(content, null, "1.0.0"), traces: folder });
    ended.push(workload);
  };
  const workloads = ["gups:size=64KiB,updates=1000000", "gups:size=64KiB,updates=10"];
  await Promise.all(workloads.map(start));
  assert.equal(ended, workloads);
});
test("seconds of silence are checked", () => {
  assert.is(parseSilence(undefined), 30000);
  for (const text of ["0", "x", "3601"])
    assert.throws(() => parseSilence(text), /expected 1 to 3600 seconds/);
});
test.run();
