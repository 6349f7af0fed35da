/** `heteromem results` and `heteromem merge`: what is made of a sweep's results. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { summaryOf } from "../../src/report/statistics.ts";
import type { SweepPicture } from "../../src/report/sweep-picture.ts";
import { command, file, folder, heteromem, report } from "./command.ts";
import { resultsOf, SPEC } from "./results.ts";

const test = suite("heteromem results");
const out = join(folder, "out");
test.before(() => {
  const path = file("spec.json", JSON.stringify(SPEC));
  for (const i of [1, 2]) {
    const shard = ["--shard", `${i}/2`, "--out", `${out}${i}`, "--quiet", "--workers", "1"];
    assert.is(heteromem(["sweep", path, ...shard]).status, 0);
  }
});

test("merge says what is missing, and joins shards", () => {
  const one = heteromem(["merge", `${out}1`, "--out", out]);
  assert.is(one.status, 3);
  // Shard 1 of 2 has every other job from the first on: all of replica 1.
  assert.match(
    one.stdout,
    /: 4 done, 0 failed, 4 missing\nmissing: [0-9a-f]{12} {2}deviceMemory=64KiB, evict=lru, replica=2\n/,
  );
  assert.ok(!readdirSync(out).includes("results.ndjson"));
  const both = heteromem(["merge", `${out}1`, `${out}2`, "--out", out]);
  assert.is(both.status, 0);
  assert.match(both.stdout, /: 8 done, 0 failed, 0 missing\n$/);
  const lines = readFileSync(join(out, "results.ndjson"), "utf8").trimEnd().split("\n");
  assert.is(lines.length, 8);
});
test("merge refuses directories of another sweep, and of none", () => {
  const other = file("other.json", JSON.stringify({ ...SPEC, replicate: 1 }));
  heteromem(["sweep", other, "--shard", "4/4", "--out", `${out}3`, "--quiet"]);
  const { status, stderr } = heteromem(["merge", out, `${out}3`]);
  assert.is(stderr, `heteromem: ${out}3: another sweep than ${out}\n`);
  assert.is(status, 2);
  rmSync(`${out}3`, { recursive: true });
  assert.match(heteromem(["results", folder]).stderr, /expected the directory of a sweep, with sweep\.json/);
});

test("rows have points and all figures", () => {
  const all = resultsOf(out);
  assert.equal(all[5].point, { deviceMemory: "128KiB", evict: "lru", replica: 2 });
  const alone = report(
    ...["--workload", "gups:size=256KiB,updates=300,seed=2", "--seed", "2", "--evict", "lru"],
    ...["--device-memory", "128KiB", "--system-memory", "2MiB", "--backing", "metadata"],
  );
  assert.is(all[5].figures["faults.device"], alone.faults.device);
  assert.is(all[5].figures["device.bytesIn"], alone.device.bytesIn);
  assert.ok(alone.faults.device > 0);
});
test("the table has means over seeds, with intervals", () => {
  const { stdout, status } = heteromem(["results", out]);
  assert.is(status, 0);
  const lines = stdout.trimEnd().split("\n");
  assert.is(lines.length, 5);
  assert.match(lines[0], /^deviceMemory +evict +device faults/);
  const faults = resultsOf(out).map(({ figures }) => figures["faults.device"] as number);
  const mean = (faults[0] + faults[1]) / 2;
  // Of two values, half the interval is t(1) · |a − b| / 2, with t(1) = 12.706.
  const half = (12.706 * Math.abs(faults[0] - faults[1])) / 2;
  const shown = (value: number): string =>
    value % 1 !== 0 && value < 10 ? value.toFixed(2) : String(Math.round(value));
  assert.match(
    lines[1],
    new RegExp(`^64KiB +lru +${Math.round(mean)}${half === 0 ? "" : ` ± ${shown(half)}`} `),
  );
});
test("CSV has a line for each job, quoted where that is needed", () => {
  const lines = heteromem(["results", out, "--csv"]).stdout.split("\r\n");
  assert.is(lines.length, 10); // a head, 8 jobs, and nothing after the last
  assert.ok(lines[0].startsWith("id,status,error,deviceMemory,evict,replica,schema,"));
  assert.match(lines[1], /^[0-9a-f]{64},done,,64KiB,lru,1,heteromem-report\/1,/);
  assert.ok(lines[1].includes('"gups:size=262144,updates=300,seed=1,init=none"'));
});
test("the page has all rows, with commands that run them again", () => {
  const path = join(folder, "page.html");
  assert.is(heteromem(["results", out, "--html", path]).status, 0);
  const html = readFileSync(path, "utf8");
  assert.ok(html.includes("<title>a &lt;small> sweep – heteromem sweep</title>"));
  const text = /<script type="application\/json" id="picture">(.*?)<\/script>/s.exec(html)![1];
  const picture = JSON.parse(text) as SweepPicture;
  assert.equal(
    picture.axes.map(({ values }) => values),
    [
      ["64KiB", "128KiB"],
      ["lru", "fifo"],
      ["1", "2"],
    ],
  );
  assert.is(picture.replica, 2);
  const { command: again, values } = picture.rows[6];
  const printed = spawnSync("sh", [
    "-c",
    again.replace("heteromem", `${process.execPath} ${command}`) + " --json --quiet",
  ]);
  const alone = JSON.parse(printed.stdout.toString()) as { faults: { device: number } };
  const index = picture.figures.findIndex(({ key }) => key === "deviceFaults");
  assert.is(values[index], alone.faults.device);
});
test("a job's config runs it again", () => {
  const [{ id, figures }] = resultsOf(out);
  const config = heteromem(["results", out, "--config", id.slice(0, 10)]).stdout;
  assert.is(report("--config", file("again.json", config)).faults.device, figures["faults.device"]);
  assert.match(
    heteromem(["results", out, "--config", "x"]).stderr,
    /expected the beginning of one job's id; 0 have it/,
  );
});
test("means have the intervals of Student's t", () => {
  // 2, 4, 6: mean 4, variance 4, so 4.303 · √(4/3) = 4.9687.
  const { mean, half, least, most, n } = summaryOf([2, 4, 6]);
  assert.equal([mean, least, most, n], [4, 2, 6, 3]);
  assert.ok(Math.abs(half - 4.9687) < 1e-3);
  assert.is(summaryOf([5]).half, 0);
});
test.run();
