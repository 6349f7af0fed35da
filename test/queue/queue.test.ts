/**
 * Sweeps through a real Redis: workers that are killed, a Redis that restarts, a network that is cut. Each
 * result is there once, with the bytes of a single machine. `npm run test:queue`; skipped without
 * redis-server.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createReadStream, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Queue } from "bullmq";
import { Redis } from "ioredis";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Manifest } from "../../src/sweep/manifest.ts";
import { file, folder, heteromem, startHeteromem } from "../cli/command.ts";
import { hasRedis, hasTls, makeCertificate, TestProxy, TestRedis } from "./redis.ts";

const test = suite("queue: sweeps through Redis");
if (!hasRedis) console.log("no redis-server: sweeps through a queue are not tested");

const JOBS = 30;
const SPEC = {
  base: {
    systemMemory: "2MiB",
    deviceMemory: "64KiB",
    backing: "metadata",
    workload: "gups:size=256KiB,updates=4000",
  },
  axes: { evict: ["lru", "fifo"] },
  replicate: JOBS / 2,
};
let redis: TestRedis;
let spec: string;
/** What one machine writes. */
let expected: string;
const running = new Set<ChildProcess>();

/** Starts a command whose errors are kept. */
function start(args: string[]): { child: ChildProcess; said: () => string; ended: Promise<number | null> } {
  const child = startHeteromem(args);
  running.add(child);
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (part: string) => (text += part));
  const ended = once(child, "exit").then(([code]) => {
    running.delete(child);
    return code as number | null;
  });
  return { child, said: () => text, ended };
}
type Started = ReturnType<typeof start>;

function worker(url: string, ...more: string[]): Started {
  const traces = join(folder, `traces${running.size}`);
  return start(["worker", "--queue", url, "--workers", "1", "--silence", "2", "--traces", traces, ...more]);
}

async function stop(one: Started): Promise<string> {
  one.child.kill("SIGTERM");
  await one.ended;
  return one.said();
}

const until = async (what: () => boolean): Promise<void> => {
  while (!what()) await new Promise((resolve) => setTimeout(resolve, 10));
};
const count = (out: string): number => {
  try {
    return readdirSync(join(folder, out, "jobs")).filter((name) => name.endsWith(".json")).length;
  } catch {
    return 0;
  }
};
const merged = (out: string): string => readFileSync(join(folder, out, "results.ndjson"), "utf8");

/** Runs the sweep through the queue, does something in the middle, and compares the result. */
async function sweepWith(out: string, url: string, middle: () => Promise<void>): Promise<void> {
  const client = start(["sweep", spec, "--out", join(folder, out), "--queue", url, "--silence", "2"]);
  await until(() => count(out) >= 5);
  await middle();
  assert.is(await client.ended, 0, client.said());
  assert.is(merged(out), expected);
  assert.is(count(out), JOBS);
}

if (hasRedis) {
  test.before(async () => {
    redis = await TestRedis.start();
    spec = file("spec.json", JSON.stringify(SPEC));
    const { status } = heteromem([
      "sweep",
      spec,
      "--out",
      join(folder, "alone"),
      "--workers",
      "1",
      "--quiet",
    ]);
    assert.is(status, 0);
    expected = merged("alone");
  });
  test.before.each(async () => {
    const client = new Redis(redis.url);
    await client.flushall();
    await client.quit();
  });
  test.after.each(async () => {
    for (const child of running) child.kill("SIGKILL");
    await until(() => running.size === 0);
  });
  test.after(async () => {
    await redis.stop();
  });

  test("a worker that is killed in the middle loses nothing", async () => {
    const [first] = [worker(redis.url), worker(redis.url)];
    await sweepWith("killed", redis.url, async () => void first.child.kill("SIGKILL"));
  });
  test("a Redis that dies in the middle goes on with its append-only file", async () => {
    const workers = [worker(redis.url), worker(redis.url)];
    await sweepWith("restarted", redis.url, async () => {
      await redis.die();
      await new Promise((resolve) => setTimeout(resolve, 500));
      await redis.resume();
    });
    assert.ok(workers.every(({ child }) => child.exitCode === null));
  });
  test("a network that is cut and mended loses nothing, at a worker and at the client", async () => {
    const proxy = await TestProxy.start(redis.port);
    worker(proxy.url);
    worker(redis.url);
    await sweepWith("cut", proxy.url, async () => {
      proxy.cut();
      await new Promise((resolve) => setTimeout(resolve, 4000)); // twice the silence: the job is another's
      proxy.mend();
    });
    proxy.stop();
  });
  test("two who enqueue make one job of each, and results lie in a shared directory", async () => {
    const shared = join(folder, "shared");
    const other = file("other.json", JSON.stringify({ ...SPEC, axes: { evict: ["fifo", "clock"] } }));
    for (const path of [spec, other]) {
      const out = path === spec ? shared : join(folder, "second");
      assert.is(heteromem(["sweep", path, "--out", out, "--queue", redis.url, "--detach"]).status, 0);
    }
    const one = worker(redis.url, "--out", shared);
    const attach = ["sweep", spec, "--out", shared, "--queue", redis.url, "--attach", "--quiet"];
    const client = start(attach);
    assert.is(await client.ended, 0, client.said());
    assert.is(merged("shared"), expected);
    // 15 seeds of lru, fifo and clock: the sweeps have those of fifo in common.
    await until(() => count("shared") === (3 * JOBS) / 2);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.match(await stop(one), /heteromem: 45 jobs done\n$/);
  });
  test("a worker fetches the trace that it lacks, by its digest", async () => {
    const programs = join(process.cwd(), "examples", "programs");
    const base = {
      trace: join(programs, "jacobi.lackey.gz"),
      offload: [`@${join(programs, "jacobi.offload")}`],
      systemMemory: "8MiB",
      deviceMemory: "256KiB",
    };
    const path = file("trace.json", JSON.stringify({ base }));
    const alone = join(folder, "trace-alone");
    assert.is(heteromem(["sweep", path, "--out", alone, "--quiet"]).status, 0);
    const server = createServer((request, answer) => {
      createReadStream(join(folder, "trace-queue", "traces", request.url!)).pipe(answer);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    mkdirSync(join(folder, "cache"));
    start(["worker", "--queue", redis.url, "--traces", join(folder, "cache"), "--trace-source", url]);
    const out = join(folder, "trace-queue");
    const client = start(["sweep", path, "--out", out, "--queue", redis.url, "--quiet"]);
    assert.is(await client.ended, 0, client.said());
    assert.is(merged("trace-queue"), merged("trace-alone"));
    assert.is(readdirSync(join(folder, "cache")).length, 1);
    server.close();
  });
  test("a hostile job is refused with an error, and the worker goes on", async () => {
    const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
    const queue = new Queue("heteromem-jobs", { connection });
    const { engine } = JSON.parse(readFileSync(join(folder, "alone", "sweep.json"), "utf8")) as Manifest;
    await queue.add("job", { engine, config: { trace: "/etc/passwd" }, trace: null }, { jobId: "x" });
    const one = worker(redis.url);
    await until(() => one.said().includes("refused"));
    const reason = async (): Promise<string | undefined> => (await queue.getJob("x"))!.failedReason;
    while ((await reason()) === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.match((await reason())!, /^refused: config must not have the field trace$/);
    const client = start(["sweep", spec, "--out", join(folder, "after"), "--queue", redis.url, "--quiet"]);
    assert.is(await client.ended, 0, client.said());
    await queue.close();
    connection.disconnect();
  });
  test("a client that is stopped leaves the jobs in the queue, and attaches later", async () => {
    const out = join(folder, "left");
    const client = start(["sweep", spec, "--out", out, "--queue", redis.url]);
    const queued = async (): Promise<number> => {
      const connection = new Redis(redis.url);
      const length = await connection.llen("bull:heteromem-jobs:wait");
      await connection.quit();
      return length;
    };
    while ((await queued()) < JOBS) await new Promise((resolve) => setTimeout(resolve, 20));
    client.child.kill("SIGINT");
    assert.is(await client.ended, 130);
    worker(redis.url);
    const again = start(["sweep", spec, "--out", out, "--queue", redis.url, "--attach", "--quiet"]);
    assert.is(await again.ended, 0, again.said());
    assert.is(merged("left"), expected);
  });
  const overTls = async (): Promise<void> => {
    const certificate = makeCertificate(folder);
    const safe = await TestRedis.start({ certificate, password: "secret" });
    const out = ["--out", join(folder, "tls"), "--quiet"];
    try {
      const asked = (url: string): string => heteromem(["sweep", spec, ...out, "--queue", url]).stderr;
      assert.match(
        asked(safe.url),
        /^heteromem: --queue rediss:\/\/127\.0\.0\.1:\d+: self-signed certificate\n$/,
      );
      process.env.NODE_EXTRA_CA_CERTS = certificate.file;
      assert.match(asked(safe.url.replace("secret", "wrong")), /^heteromem: --queue .*: WRONGPASS /);
      assert.match(asked(safe.url.replace(":secret@", "")), /^heteromem: --queue .*: NOAUTH /);
      worker(safe.url);
      const client = start(["sweep", spec, ...out, "--queue", safe.url]);
      assert.is(await client.ended, 0, client.said());
      assert.is(merged("tls"), expected);
    } finally {
      delete process.env.NODE_EXTRA_CA_CERTS;
      await safe.stop();
    }
  };
  if (hasTls) test("TLS and a password are in the URL", overTls);
  else test.skip("TLS and a password are in the URL", () => {});
  test("a queue that is not there is an error", () => {
    const { status, stderr } = heteromem([
      "sweep",
      spec,
      "--out",
      join(folder, "no"),
      "--queue",
      "redis://:secret@127.0.0.1:1",
    ]);
    assert.match(stderr, /^heteromem: --queue redis:\/\/127\.0\.0\.1:1: .*ECONNREFUSED/);
    assert.is(status, 2);
  });
} else test.skip("sweeps through Redis", () => {});
test.run();
