/** examples/cluster: each engine's commands run the same sweep in shards, to the same bytes. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { parse } from "yaml";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { command, file, folder, heteromem } from "./command.ts";

const CLUSTER = resolve("examples", "cluster");
const SPEC = {
  base: {
    systemMemory: "2MiB",
    deviceMemory: "64KiB",
    backing: "metadata",
    workload: "gups:size=256KiB,updates=100",
  },
  replicate: 6,
};
const hasParallel = spawnSync("parallel", ["--version"]).status === 0;
if (!hasParallel) console.log("no GNU parallel: its example is not run");

const test = suite("examples: clusters");
let spec: string;
let expected: string;
const bin = join(folder, "bin");
const merged = (out: string): string => readFileSync(join(out, "results.ndjson"), "utf8");

/** Runs a shell script in which heteromem, and npx of it, are the command under test. */
function shell(script: string, more: Record<string, string>): void {
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, SPEC: spec, ...more };
  const { status, stderr } = spawnSync("sh", ["-c", script], { cwd: folder, env, encoding: "utf8" });
  assert.is(status, 0, stderr);
}

test.before(() => {
  mkdirSync(bin);
  for (const [name, words] of [
    ["heteromem", '"$@"'],
    ["npx", '"${@:3}"'],
  ]) {
    writeFileSync(join(bin, name), `#!/bin/bash\nexec "${process.execPath}" "${command}" ${words}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  spec = file("policies.yaml", JSON.stringify(SPEC));
  heteromem(["sweep", spec, "--out", join(folder, "whole"), "--quiet", "--workers", "1"]);
  expected = merged(join(folder, "whole"));
});

test("the script of Slurm runs the shard of its task", () => {
  const OUT = join(folder, "slurm");
  for (const task of ["1", "2"])
    shell(`sh ${join(CLUSTER, "slurm.sh")}`, { OUT, SLURM_ARRAY_TASK_ID: task, SLURM_ARRAY_TASK_COUNT: "2" });
  assert.is(merged(OUT), expected);
});
test("the pods of Kubernetes run a shard each", () => {
  const job = parse(readFileSync(join(CLUSTER, "kubernetes.yaml"), "utf8")) as {
    kind: string;
    spec: {
      completions: number;
      completionMode: string;
      template: { spec: { containers: { command: string[] }[] } };
    };
  };
  assert.equal([job.kind, job.spec.completionMode], ["Job", "Indexed"]);
  const OUT = join(folder, "kubernetes");
  const [, , script] = job.spec.template.spec.containers[0].command;
  for (let index = 0; index < job.spec.completions; index++)
    shell(script, { OUT, JOB_COMPLETION_INDEX: String(index) });
  assert.is(merged(OUT), expected);
});
test("the matrix of GitHub runs the shards, and merges them", () => {
  const { jobs } = parse(readFileSync(join(CLUSTER, "github.yml"), "utf8")) as {
    jobs: Record<string, { steps: { run?: string }[]; strategy?: { matrix: { shard: number[] } } }>;
  };
  const runOf = (name: string): string => jobs[name].steps.find(({ run }) => run !== undefined)!.run!;
  for (const shard of jobs.shard.strategy!.matrix.shard)
    shell(runOf("shard").replaceAll("${{ matrix.shard }}", String(shard)), {});
  shell(`${runOf("merge")}-github`, {});
  assert.is(merged(join(folder, "policies-github")), expected);
});
if (hasParallel)
  test("GNU parallel runs four shards, and merges them", () => {
    const OUT = join(folder, "parallel");
    shell(`sh ${join(CLUSTER, "parallel.sh")}`, { OUT });
    assert.is(merged(OUT), expected);
  });
else test.skip("GNU parallel runs four shards", () => {});
test.run();
