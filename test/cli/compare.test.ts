/** `heteromem compare`, and runs by a config file. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { differences, formatDifferences } from "../../src/cli/compare.ts";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { RunReport } from "../../src/cli/report.ts";
import { file, folder, heteromem, report, run } from "./command.ts";
import { KERNEL_RANGE, PROGRAM } from "./program.ts";

const compare = suite("heteromem compare");

compare("shows values that differ, with the change", () => {
  const a = {
    same: 1,
    fewer: 8,
    more: 10,
    much: 2,
    none: 0,
    text: "x",
    gone: 5,
    list: [{ name: "k", n: 1 }],
  };
  const b = {
    same: 1,
    fewer: 6,
    more: 11,
    much: 50,
    none: 7,
    text: "y",
    list: [{ name: "j" }, { name: "k", n: 2 }],
  };
  const all = differences(a, b);
  assert.equal(all[0], { key: "fewer", a: 8, b: 6, change: -2, ratio: 0.75 });
  assert.equal(
    all.map(({ key, change }) => [key, change]),
    [
      ["fewer", -2],
      ["more", 1],
      ["much", 48],
      ["none", 7],
      ["text", null],
      ["gone", null],
      ["list[k].n", 1],
      ["list[j].name", null],
    ],
  );
  const lines = formatDifferences(all, ["A", "B"]).split("\n");
  assert.equal(
    lines.slice(0, 5).map((line) => line.split(/ {2,}/)),
    [
      ["", "A", "B", "change"],
      ["fewer", "8", "6", "−25.0 %"],
      ["more", "10", "11", "+10.0 %"],
      ["much", "2", "50", "× 25.0"],
      ["none", "0", "7", "+7"],
    ],
  );
  assert.is(formatDifferences([], ["A", "B"]), "The reports are the same.");
});

const trace = file("compared.lackey", PROGRAM.text);
const OPTIONS = [trace, "--offload", KERNEL_RANGE, "--device-memory", "128KiB", "--json"];

compare("two reports, as text and as JSON", () => {
  const a = file("a.json", run(...OPTIONS).stdout);
  const b = file("b.json", run(...OPTIONS, "--placement", "mirror").stdout);
  const text = heteromem(["compare", a, b]);
  assert.equal([text.status, text.stderr], [0, ""]);
  assert.match(text.stdout, /^placement +migrate +mirror$/m);
  assert.match(text.stdout, /^evictions +\d+ +0 +−100\.0 %$/m);
  const { status, stdout } = heteromem(["compare", a, b, "--json"]);
  assert.is(status, 0);
  const result = JSON.parse(stdout) as {
    schema: string;
    a: string;
    differences: { key: string; b: unknown }[];
  };
  assert.equal([result.schema, result.a], ["heteromem-compare/1", a]);
  assert.is(result.differences.find(({ key }) => key === "placement")?.b, "mirror");
  assert.equal(heteromem(["compare", a, a]).stdout, "The reports are the same.\n");
});

compare("several reports, and a page of them", () => {
  const timed = (...more: string[]): string => run(...OPTIONS, "--time", "pcie3-1080ti", ...more).stdout;
  const files = [
    file("first.json", timed()),
    file("second.json", timed("--cluster", "4K", "--prefetch", "none")),
    file("third.json", timed("--placement", "mirror")),
  ];
  const text = heteromem(["compare", ...files]);
  assert.is(text.status, 0);
  assert.is(text.stdout.match(/^placement +migrate +mirror$/gm)?.length, 1);
  assert.match(text.stdout, /^timing\.total +[\d,]+ +[\d,]+ +[+−]/m);
  const page = join(folder, "compare.html");
  assert.equal(heteromem(["compare", ...files, "--html", page]), { status: 0, stdout: "", stderr: "" });
  const html = readFileSync(page, "utf8");
  const first = JSON.parse(readFileSync(files[0], "utf8")) as RunReport;
  assert.ok(html.includes(`<td>time, ms</td><td>${(first.timing!.total / 1e9).toFixed(2)}</td>`));
  assert.is(html.match(/<span class="bar">/g)?.length, 3);
  assert.not.match(html, /NaN|undefined/);
  assert.match(html, /<td>fault groups<\/td><td>0<\/td><td>0<\/td><td><\/td>/);
});

compare("a file that is no report is one line, and exit code 2", () => {
  const good = file("good.json", run(...OPTIONS).stdout);
  const wrong: [string, RegExp][] = [
    ["nowhere", /^heteromem: nowhere: no such file\n$/],
    [file("no.json", "hello"), /no\.json: this is no JSON: /],
    [file("other.json", "[]"), /other\.json: this is no report of heteromem run --json\n$/],
    [
      file("later.json", '{"schema":"heteromem-report/2"}'),
      /a report of heteromem-report\/2; expected heteromem-report\/1\n$/,
    ],
  ];
  for (const [path, says] of wrong) {
    for (const args of [
      [path, good],
      [good, path],
    ]) {
      const { status, stdout, stderr } = heteromem(["compare", ...args]);
      assert.equal([status, stdout], [2, ""]);
      assert.match(stderr, says);
    }
  }
});

compare("a config file is the same as options, and options win", () => {
  const config = { trace, offload: [KERNEL_RANGE], deviceMemory: "128KiB", $schema: "config.schema.json" };
  const whole = file("whole.json", JSON.stringify({ ...config, epoch: 100, agent: "trace" }));
  const byOptions = report(trace, "--offload", KERNEL_RANGE, "--device-memory", "128KiB", "--epoch", "100");
  assert.equal(report("--config", whole), byOptions);
  assert.is(report("--config", whole, "--device-memory", "64KB").memory.device, 65536);
  assert.is(report("--config", whole, "--policy", "mirror").placement, "mirror");
  const named = report("--config", file("w.json", '{"workload":"add:size=64KiB"}'));
  assert.equal([named.trace.format, named.trace.file], ["workload", "add:size=64KiB"]);
  assert.is(report(trace, "--config", file("w2.json", '{"workload":"add"}')).trace.format, "lackey");
});

compare("a workload is reported with its parameters, kernels and ranges", () => {
  const got = report("--workload", "stencil2d:size=1MiB,iterations=2", "--device-memory", "256KiB");
  assert.is(got.parameters?.iterations, 2);
  assert.equal(
    got.kernels.map(({ name, begins }) => [name, begins]),
    [
      ["initialize", 1],
      ["stencil2d", 2],
      ["read back", 1],
    ],
  );
  const { stdout } = run("--workload", "stencil2d:size=1MiB,iterations=2", "--epoch", "kernel");
  assert.match(stdout, /^workload stencil2d:size=1MiB,iterations=2\n/);
  assert.match(
    stdout,
    /\nKernels \(begun\) [^]*\n {2}stencil2d \(2\) [^]*\nEpochs [^]*\nRanges [^]*\n {2}a /,
  );
  assert.not.match(stdout, /NaN|undefined|Infinity/);
});
compare.run();
