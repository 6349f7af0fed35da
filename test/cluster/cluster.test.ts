/** examples/cluster: Slurm's script and GNU parallel run the same sweep in shards, to the same bytes. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
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
if (hasParallel)
  test("GNU parallel runs four shards, and merges them", () => {
    const OUT = join(folder, "parallel");
    run(`sh ${join(CLUSTER, "parallel.sh")}`, { OUT });
    assert.is(merged(OUT), sweep.expected);
  });
else test.skip("GNU parallel runs four shards", () => {});
test.run();
