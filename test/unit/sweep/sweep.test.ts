/** What a sweep is: canonical JSON, the values of axes, points, and the ids of jobs. */
import { createHash } from "node:crypto";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { TIME_PRESETS } from "../../../src/sim.ts";
import { settingsOf } from "../../../src/sim/config.ts";
import { valuesOf } from "../../../src/sweep/axis-values.ts";
import { canonical } from "../../../src/sweep/canonical.ts";
import { SweepError } from "../../../src/sweep/error.ts";
import { axesOf, expand } from "../../../src/sweep/expand.ts";
import { contentOf, idOf, jobBytes, jobOf } from "../../../src/sweep/job.ts";
import { shardOf } from "../../../src/sweep/manifest.ts";
import type { SweepSpec } from "../../../src/sweep/spec.ts";
import { resultText, statusOf } from "../../../src/sweep/store.ts";

const same = (name: string): string => name;
const refused = (work: () => unknown, message: RegExp): void => {
  assert.throws(work, (error: Error) => error instanceof SweepError && message.test(error.message));
};

const json = suite("sweep: canonical JSON");
json("numbers and texts are written as RFC 8785 shows in its section 3.2.2", () => {
  const given = {
    numbers: [333333333.3333333, 1e30, 4.5, 2e-3, 0.000000000000000000000000001],
    string: "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
    literals: [null, true, false],
  };
  assert.is(
    canonical(given),
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
      '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
});
json("keys are sorted by UTF-16 code units, as in the RFC's section 3.2.3", () => {
  const keys = ["\u20ac", "\r", "\ufb33", "1", "\ud83d\ude00", "\u0080", "\u00f6"];
  const sorted = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\ud83d\ude00", "\ufb33"];
  const text = canonical(Object.fromEntries(keys.map((key) => [key, 0])));
  assert.is(text, `{${sorted.map((key) => `${JSON.stringify(key)}:0`).join(",")}}`);
});
json("what JSON does not have is refused", () => {
  assert.throws(() => canonical(Infinity), RangeError);
  assert.throws(() => canonical(() => 0), TypeError);
  assert.is(canonical({ b: undefined, a: -0 }), '{"a":0}');
});
json.run();

const axes = suite("sweep: values of axes");
axes("linear ranges go by a step, or have so many points", () => {
  assert.equal(valuesOf("a", { linear: { from: 1, to: 10, step: 4 } }), [1, 5, 9]);
  assert.equal(valuesOf("a", { linear: { from: 0, to: 1, points: 5 } }), [0, 0.25, 0.5, 0.75, 1]);
  assert.equal(valuesOf("a", { linear: { from: "2MiB", to: "5MiB", step: "1536KiB" } }), [
    "2MiB",
    "3584KiB",
    "5MiB",
  ]);
});
axes("log2 ranges double, with points in between that are whole pages", () => {
  assert.equal(valuesOf("a", { log2: { from: 4, to: 40 } }), [4, 8, 16, 32]);
  // √2 · 1 MiB is 1,482,910.4 bytes: 362.04 pages, so 362 pages, which are 1,448 KiB.
  assert.equal(valuesOf("a", { log2: { from: "1MiB", to: "2MiB", points: 2 } }), ["1MiB", "1448KiB", "2MiB"]);
});
axes("seeds count from 1 or from another number", () => {
  assert.equal(valuesOf("a", { seeds: 3 }), [1, 2, 3]);
  assert.equal(valuesOf("a", { seeds: { from: 7, count: 2 } }), [7, 8]);
});
axes("what has no value, or no end, is refused", () => {
  refused(() => valuesOf("a", []), /axes\.a: expected at least one value/);
  refused(() => valuesOf("a", { linear: { from: 1, to: 2, step: 0 } }), /a step above 0/);
  refused(() => valuesOf("a", { linear: { from: 3, to: 2, step: 1 } }), /from not above to/);
  refused(() => valuesOf("a", { log2: { from: 0, to: 2 } }), /from above 0/);
  refused(() => valuesOf("a", { seeds: 0 }), /count of seeds/);
});
axes.run();

const points = suite("sweep: points");
const GUPS = "gups:size=1MiB,updates=100";
points("axes multiply, the last one fastest; a label sets several fields", () => {
  const spec: SweepSpec = {
    base: { workload: GUPS },
    axes: {
      deviceMemory: ["64KiB", "128KiB"],
      policy: [
        { label: "a", set: { evict: "fifo", prefetch: "none" } },
        { label: "b", set: { evict: "lru" } },
      ],
    },
  };
  assert.equal(expand(spec, same), [
    {
      point: { deviceMemory: "64KiB", policy: "a" },
      config: { workload: GUPS, deviceMemory: "64KiB", evict: "fifo", prefetch: "none" },
    },
    {
      point: { deviceMemory: "64KiB", policy: "b" },
      config: { workload: GUPS, deviceMemory: "64KiB", evict: "lru" },
    },
    {
      point: { deviceMemory: "128KiB", policy: "a" },
      config: { workload: GUPS, deviceMemory: "128KiB", evict: "fifo", prefetch: "none" },
    },
    {
      point: { deviceMemory: "128KiB", policy: "b" },
      config: { workload: GUPS, deviceMemory: "128KiB", evict: "lru" },
    },
  ]);
});
points("points are left out by any of the values, and added", () => {
  const spec: SweepSpec = {
    base: { workload: GUPS },
    axes: { evict: ["lru", "fifo"], deviceFrames: [16, 32, 64] },
    exclude: [{ evict: "fifo", deviceFrames: [16, 64] }],
    include: [{ evict: "random", deviceFrames: 16, reserve: 5 }],
  };
  const found = expand(spec, same).map(
    ({ point }) => `${point.evict as string} ${point.deviceFrames as number}`,
  );
  assert.equal(found, ["lru 16", "lru 32", "lru 64", "fifo 32", "random 16"]);
  assert.is(expand(spec, same).at(-1)!.config.reserve, 5);
  const again = { ...spec, include: [{ evict: "lru", deviceFrames: 16 }] };
  assert.is(expand(again, same).length, 4); // the point is there already
  assert.equal(axesOf(spec), ["evict", "deviceFrames", "reserve"]);
  refused(() => expand({ ...spec, exclude: [{ evil: 1 }] }, same), /exclude\[0\]: evil is no axis/);
});
points("replicas have seeds of their own, which a workload takes, too, if it has one", () => {
  const of = (workload: string): unknown[] =>
    expand({ base: { workload }, replicate: { from: 4, count: 2 } }, same).map(({ config }) => config);
  assert.equal(of("gups:seed=9,size=1MiB"), [
    { workload: "gups:seed=4,size=1MiB", seed: 4 },
    { workload: "gups:seed=5,size=1MiB", seed: 5 },
  ]);
  assert.equal(of("add:size=1MiB"), [
    { workload: "add:size=1MiB", seed: 4 },
    { workload: "add:size=1MiB", seed: 5 },
  ]);
});
points("an axis sets a workload's parameter, whichever workload another axis names", () => {
  const spec: SweepSpec = { axes: { "workload.size": ["1MiB"], workload: ["gups", "add:size=2MiB"] } };
  assert.equal(
    expand(spec, same).map(({ config }) => config.workload),
    ["gups:size=1MiB", "add:size=1MiB"],
  );
  refused(() => expand({ axes: { "workload.size": [1] } }, same), /expected a workload/);
});
points("an axis sets a number of the time model, and keeps its unit", () => {
  const path = "time.cpu.fault";
  const spec: SweepSpec = { base: { workload: GUPS, time: "pcie3-1080ti" }, axes: { [path]: [5] } };
  const [{ config }] = expand(spec, same);
  const before = TIME_PRESETS["pcie3-1080ti"].cpu!.fault!;
  const after = (config.time as typeof TIME_PRESETS.gh200).cpu!.fault!;
  assert.is(after.value, 5);
  assert.is(after.unit, before.unit);
  assert.is.not(before.value, 5);
  settingsOf({ time: config.time });
  refused(() => expand({ ...spec, axes: { "time.cpu.nothing": [5] } }, same), /no such number/);
});
points("shards are disjoint, and all jobs together", () => {
  const jobs = [0, 1, 2, 3, 4, 5, 6];
  assert.equal(
    [1, 2, 3].map((i) => shardOf(jobs, { i, n: 3 })),
    [
      [0, 3, 6],
      [1, 4],
      [2, 5],
    ],
  );
});
points.run();

const ids = suite("sweep: ids of jobs");
/** Another writer of canonical JSON: sorts the keys of each object, then writes it as JSON does. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  );
}
ids("a result that was cut off is none", () => {
  const text = resultText("a1", null, { status: "done", report: {} });
  assert.is(statusOf("a1", text), "done");
  for (const length of [1, text.length - 2, text.length - 1])
    assert.is(statusOf("a1", text.slice(0, length)), null);
  assert.is(statusOf("a2", text), null); // another job's
});
ids("an id is the SHA-256 of the content, its defaults included", () => {
  const job = jobOf({ workload: "gups:size=1MiB", deviceMemory: "1MiB" }, null, "1.2.3");
  const content = contentOf(job);
  assert.is(content.engine, "1.2.3");
  assert.is(content.workload!.startsWith("gups:size=1048576,"), true);
  assert.is(content.settings.deviceMemory, 1 << 20);
  assert.is(content.settings.systemMemory, 1 << 30);
  const expected = createHash("sha256")
    .update(JSON.stringify(sorted(content)))
    .digest("hex");
  assert.is(idOf(content), expected);
});
ids("equal jobs have one id however they are written; others have others", () => {
  const idFor = (config: Record<string, unknown>, trace: string | null = null, engine = "1"): string =>
    idOf(contentOf(jobOf(config, trace, engine)));
  const workload = "gups:size=1MiB";
  const id = idFor({ workload, deviceMemory: "1MiB" });
  assert.is(idFor({ deviceMemory: 1048576, workload: "gups:size=1024K,seed=1", evict: "lru" }), id);
  const others = [
    idFor({ workload, deviceMemory: "2MiB" }),
    idFor({ workload: "gups:size=2MiB", deviceMemory: "1MiB" }),
    idFor({ workload, deviceMemory: "1MiB" }, null, "2"),
    idFor({ workload, deviceMemory: "1MiB", time: "pcie3-1080ti" }),
    idFor({ deviceMemory: "1MiB" }, "a".repeat(64)),
    idFor({ deviceMemory: "1MiB" }, "b".repeat(64)),
  ];
  assert.is(new Set([id, ...others]).size, 7);
});
ids("a job takes neither paths nor what belongs to reading a trace", () => {
  const config = { trace: "/a/b", binary: "/c", offload: ["@/d"], format: "lackey", html: "x", seed: 3 };
  assert.equal(jobOf(config, "f".repeat(64), "1").config, { seed: 3 });
});
ids("what a job may use is its memory with contents, and 40 bytes a frame", () => {
  const bytes = (backing: string): number =>
    jobBytes(
      contentOf(jobOf({ workload: "add", systemMemory: "64MiB", deviceMemory: "3MiB", backing }, null, "1")),
    );
  // The device's memory comes in blocks of 2 MiB: 64 + 4 MiB are 17,408 frames.
  assert.is(bytes("metadata"), 96 * 2 ** 20 + 17408 * 40);
  assert.is(bytes("data") - bytes("metadata"), 68 * 2 ** 20);
});
ids.run();
