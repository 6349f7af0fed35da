/** What `heteromem run` prints: its report, and help. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { RunReport } from "../../src/cli/report.ts";
import { bytes } from "../../src/cli/words.ts";
import { file, heteromem, report, run } from "./command.ts";
import { KERNEL_RANGE, PROGRAM } from "./program.ts";

const cli = suite("heteromem run, its report");

const OPTIONS = ["--offload", KERNEL_RANGE, "--device-memory", "128KiB"];
const trace = file("program.lackey", PROGRAM.text);
/** Returns the report of the trace with the usual options. */
let usual: RunReport;
cli.before(() => {
  usual = report(trace, ...OPTIONS);
});

/** Returns every path in an object, in the notation of docs/run.md. */
function keys(value: unknown, path = ""): string[] {
  if (Array.isArray(value) && value.length === 0) return [];
  if (Array.isArray(value)) return [...new Set(value.flatMap((item) => keys(item, `${path}[]`)))];
  if (typeof value !== "object" || value === null) return [path];
  return Object.entries(value).flatMap(([key, item]) => keys(item, path === "" ? key : `${path}.${key}`));
}

cli("the documented keys are the keys of the report", () => {
  const text = readFileSync("docs/run.md", "utf8");
  const documented = [...text.slice(text.indexOf("| key |")).matchAll(/^\| `([^`]+)` \|/gm)].map(
    (match) => match[1],
  );
  const warned = report(
    ...[file("foreign", `hello\n${PROGRAM.text}`), ...OPTIONS, "--skip-foreign", "--epoch", "100"],
    ...["--range", "0x5000000-0x5100000"],
  );
  const workload = report("--workload", "add:size=64KiB", "--bound", "opt");
  // Four pages of a cluster are device 2's, so the cluster moves over the link.
  const linked = report(
    ...["--workload", "add:size=64KiB", "--devices", "2", "--peers", "1-2", "--peer-fault", "migrate"],
    ...["--device-range", "0x10000000000-0x10000004000@2"],
  );
  const managed = report(
    "--workload",
    "add:size=8MiB,grain=4KiB",
    "--memory-model",
    "managed",
    "--time",
    "pcie3-1080ti",
  );
  // An epoch and a kernel have the counts that the whole has.
  const part = new RegExp(
    "^(epochs|kernels)\\[\\]\\." +
      "(accesses|faults|device|groups|transfers|bytes|evictions|invalidations|managed|elapsed).*",
  );
  const found = [warned, workload, linked, managed]
    .flatMap((one) => [...keys(one)])
    .filter((key) => !part.test(key))
    .map((key) => key.replace(/^(parameters|driver\.spread|elsewhere)\..*/, "$1"));
  assert.equal([...new Set(found)].sort(), documented.sort());
  const counts = Object.keys(workload.kernels[0]).filter((key) => !["name", "begins"].includes(key));
  assert.ok(counts.every((key) => key in workload));
});

cli("the report for people has the figures", () => {
  const { status, stdout, stderr } = run(trace, ...OPTIONS);
  assert.is(status, 0);
  assert.is(stderr, "");
  const got = usual;
  assert.match(stdout, /device memory +128 KiB/);
  assert.match(stdout, /Accesses +loads +stores +total +share/);
  assert.match(stdout, new RegExp(` in +${bytes(got.device.bytesIn)} `));
  assert.match(stdout, new RegExp(`evictions +${got.evictions} `));
  assert.not.match(stdout, /PARTIAL|NaN|undefined|Infinity/);
  assert.not.match(run(trace, "--policy", "mirror").stdout, /NaN|undefined|Infinity/);
});

cli("no progress bar where stderr is no terminal", () => {
  assert.is(run(trace).stderr, "");
  assert.is(run(trace, "--quiet").stderr, "");
});

cli("--help and --version", () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  assert.equal(heteromem(["--version"]), { status: 0, stdout: `${version}\n`, stderr: "" });
  for (const args of [["--help"], ["run", "--help"]]) {
    const { status, stdout } = heteromem(args);
    assert.is(status, 0);
    assert.match(stdout, /Usage: heteromem/);
  }
  assert.match(heteromem(["run", "--help"]).stdout, /--offload[^]*--system-memory[^]*Exit codes/);
  assert.is(heteromem([]).status, 2);
  assert.is(heteromem(["walk"]).status, 2);
});

cli.run();
