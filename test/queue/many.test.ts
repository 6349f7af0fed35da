/**
 * Ten thousand tiny jobs: through the workers of one machine, and through Redis, they give the bytes that one
 * process gives which runs them one after the other. `npm run test:many`; the part of Redis is skipped
 * without redis-server.
 */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { planSweep } from "../../src/cli/sweep/plan.ts";
import { runJob } from "../../src/cli/sweep/task.ts";
import { file, folder, heteromem, startHeteromem } from "../cli/command.ts";
import { hasRedis, TestRedis } from "./redis.ts";

const JOBS = 10_000;
const SPEC = {
  base: {
    systemMemory: "1MiB",
    deviceMemory: "64KiB",
    backing: "metadata",
    workload: "gups:size=128KiB,updates=20",
  },
  axes: { evict: ["lru", "fifo"], cluster: ["4K", "64K"] },
  replicate: JOBS / 4,
};
const test = suite("ten thousand jobs");
if (!hasRedis) console.log("no redis-server: ten thousand jobs are not sent through a queue");
let spec: string;
let expected: string;
const merged = (out: string): string => readFileSync(join(folder, out, "results.ndjson"), "utf8");

/** Says how long a part took. */
async function timed<T>(what: string, work: () => T | Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await work();
  const seconds = (performance.now() - start) / 1000;
  console.log(`${what}: ${seconds.toFixed(1)} s, ${((1000 * seconds) / JOBS).toFixed(2)} ms a job`);
  return result;
}

test.before(async () => {
  spec = file("many.json", JSON.stringify(SPEC));
  const { jobs, manifest } = await planSweep(spec, join(folder, "traces"), engineOf());
  const texts = new Map<string, string>();
  await timed("one process", async () => {
    for (const [id, { job }] of jobs) texts.set(id, await runJob({ job, traces: folder }));
  });
  assert.is(texts.size, JOBS);
  // The form of results.ndjson, written here a second time.
  expected = manifest.jobs
    .map(({ id, point }) => `{"point":${JSON.stringify(point)},${texts.get(id)!.slice(1)}`)
    .join("");
});

/** The engine's version as the command writes it. */
function engineOf(): string {
  const small = file("one.json", JSON.stringify({ base: SPEC.base }));
  assert.is(heteromem(["sweep", small, "--out", join(folder, "one"), "--quiet"]).status, 0);
  return (JSON.parse(readFileSync(join(folder, "one", "sweep.json"), "utf8")) as { engine: string }).engine;
}

test("the workers of one machine give the bytes of one process", async () => {
  const args = ["sweep", spec, "--out", join(folder, "pool"), "--quiet", "--workers", "2"];
  assert.is((await timed("two workers", () => heteromem(args))).status, 0);
  assert.ok(merged("pool") === expected);
  rmSync(join(folder, "pool"), { recursive: true });
});
if (hasRedis)
  test("workers that take jobs from Redis give the bytes of one process", async () => {
    const redis = await TestRedis.start({ sync: "everysec" });
    const traces = join(folder, "cache");
    mkdirSync(traces);
    const workers = [1, 2].map(() =>
      startHeteromem(["worker", "--queue", redis.url, "--workers", "1", "--traces", traces, "--quiet"]),
    );
    const args = ["sweep", spec, "--out", join(folder, "queue"), "--quiet", "--queue", redis.url];
    const client = startHeteromem(args);
    const status = await timed(
      "two processes of a queue",
      () => new Promise((resolve) => client.once("exit", resolve)),
    );
    for (const worker of workers) worker.kill("SIGKILL");
    await redis.stop();
    assert.is(status, 0);
    assert.ok(merged("queue") === expected);
  });
else test.skip("workers that take jobs from Redis give the bytes of one process", () => {});
test.run();
