/** python/heteromem.py: runs, sweeps, and what it makes of results. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { command, file, folder, heteromem } from "./command.ts";
import { resultsOf, SPEC } from "./results.ts";

const test = suite("python/heteromem.py");
const out = join(folder, "out");
const python = spawnSync("python3", ["--version"]).status === 0;
if (!python) console.log("no python3: python/heteromem.py is not tested");
/** A Python that has pandas: Debian's is not the first one on every path. */
const pandas = ["python3", "/usr/bin/python3"].find(
  (name) => spawnSync(name, ["-c", "import pandas"]).status === 0,
);
if (pandas === undefined) console.log("no pandas: DataFrames of python/heteromem.py are not tested");

test.before(() => {
  const path = file("spec.json", JSON.stringify(SPEC));
  assert.is(heteromem(["sweep", path, "--out", out, "--quiet", "--workers", "1"]).status, 0);
});

if (python)
  test("Python runs, sweeps, and reads results", () => {
    const script = `
import os, sys
sys.path.insert(0, ${JSON.stringify(join(process.cwd(), "python"))})
sys.modules["pandas"] = None
import heteromem
small = {"workload": "gups:size=256KiB,updates=300", "systemMemory": "2MiB", "backing": "metadata"}
r = heteromem.run(device_memory="64KiB", **small)
print(r["faults"]["device"])
spec = {"base": small, "axes": {"deviceMemory": ["64KiB", "128KiB"]}}
rows = heteromem.sweep(spec, out="py", workers=1)
print(len(rows), rows[0]["deviceMemory"], rows[0]["faults.device"], rows[0]["status"])
print(len(heteromem.results(${JSON.stringify(out)})))
try:
    heteromem.run(workload="nothing")
except heteromem.HeteromemError as error:
    print(error)
print(sorted(name for name in os.listdir(".") if name.startswith(".heteromem")))
`;
    const env = { ...process.env, HETEROMEM: `${process.execPath} ${command}` };
    const { stdout, stderr } = spawnSync("python3", ["-c", script], { cwd: folder, env, encoding: "utf8" });
    assert.is(stderr, "");
    const lines = stdout.trimEnd().split("\n");
    const single = resultsOf(out)[0].figures["faults.device"] as number;
    assert.is(Number(lines[0]), single);
    assert.is(lines[1], `2 64KiB ${single} done`);
    assert.is(lines[2], "8");
    assert.match(lines[3], /no workload is named "nothing"/);
    assert.is(lines[4], "[]");
  });
else test.skip("Python runs, sweeps, and reads results", () => {});
if (pandas !== undefined)
  test("Python has results as a DataFrame where pandas is installed", () => {
    const script = `
import sys
sys.path.insert(0, ${JSON.stringify(join(process.cwd(), "python"))})
import heteromem
rows = heteromem.results(${JSON.stringify(out)})
means = rows.groupby(["deviceMemory", "evict"])["faults.device"].mean()
print(type(rows).__name__, len(rows), list(rows.columns[:3]), means["64KiB", "lru"])
print(rows["faults.device"].dtype, rows[rows["status"] != "done"].empty)
`;
    const env = { ...process.env, HETEROMEM: `${process.execPath} ${command}` };
    const { stdout, stderr } = spawnSync(pandas, ["-c", script], { cwd: folder, env, encoding: "utf8" });
    assert.is(stderr, "");
    const faults = resultsOf(out).map(({ figures }) => figures["faults.device"] as number);
    // The first two rows are the seeds of 64 KiB with lru.
    const mean = (faults[0] + faults[1]) / 2;
    const [first, second] = stdout.trimEnd().split("\n");
    assert.is(Number(first.split(" ").at(-1)), mean);
    assert.is(first.slice(0, first.lastIndexOf(" ")), "DataFrame 8 ['id', 'status', 'error']");
    assert.is(second, "int64 True");
  });
else test.skip("Python has results as a DataFrame where pandas is installed", () => {});
test.run();
