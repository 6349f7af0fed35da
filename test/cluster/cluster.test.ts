/** examples/cluster: each engine's commands run the same sweep in shards, to the same bytes. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { folder } from "../cli/command.ts";
import { CLUSTER, merged, setUpCluster, shell, type Sweep } from "./cluster.ts";

const hasParallel = spawnSync("parallel", ["--version"]).status === 0;
if (!hasParallel) console.log("no GNU parallel: its example is not run");

const test = suite("examples: clusters");
let sweep: Sweep;
const run = (script: string, variables: Record<string, string>): string =>
  shell(script, { SPEC: sweep.spec, ...variables });
test.before(() => {
  sweep = setUpCluster();
});

test("the script of Slurm runs the shard of its task", () => {
  const OUT = join(folder, "slurm");
  for (const task of ["1", "2"])
    run(`sh ${join(CLUSTER, "slurm.sh")}`, { OUT, SLURM_ARRAY_TASK_ID: task, SLURM_ARRAY_TASK_COUNT: "2" });
  assert.is(merged(OUT), sweep.expected);
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
    run(script, { OUT, JOB_COMPLETION_INDEX: String(index) });
  assert.is(merged(OUT), sweep.expected);
});
test("the matrix of GitHub runs the shards, and merges them", () => {
  const { jobs } = parse(readFileSync(join(CLUSTER, "github.yml"), "utf8")) as {
    jobs: Record<string, { steps: { run?: string }[]; strategy?: { matrix: { shard: number[] } } }>;
  };
  const runOf = (name: string): string => jobs[name].steps.find(({ run }) => run !== undefined)!.run!;
  for (const shard of jobs.shard.strategy!.matrix.shard)
    run(runOf("shard").replaceAll("${{ matrix.shard }}", String(shard)), {});
  run(`${runOf("merge")}-github`, {});
  assert.is(merged(join(folder, "policies-github")), sweep.expected);
});
if (hasParallel)
  test("GNU parallel runs four shards, and merges them", () => {
    const OUT = join(folder, "parallel");
    run(`sh ${join(CLUSTER, "parallel.sh")}`, { OUT });
    assert.is(merged(OUT), sweep.expected);
  });
else test.skip("GNU parallel runs four shards", () => {});
test.run();
