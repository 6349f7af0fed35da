/**
 * The array of examples/cluster/slurm.sh on real daemons: munged, slurmctld and slurmd of this machine, which
 * slurm.sh starts and takes down. `npm run test:slurm`; skipped without Debian's slurm-wlm and munge.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { folder, heteromem } from "../cli/command.ts";
import { CLUSTER, merged, setUpCluster, shell } from "./cluster.ts";

const test = suite("examples: Slurm");
const env = { ...process.env, PATH: [process.env.PATH, "/usr/sbin"].join(delimiter) };
const hasSlurm = [
  ["munged", "--version"],
  ["slurmctld", "-V"],
  ["slurmd", "-V"],
].every(([name, option]) => spawnSync(name, [option], { env }).status === 0);
if (hasSlurm)
  test("an array of four runs four shards, and their directory is merged", () => {
    const { spec, expected } = setUpCluster();
    const OUT = join(folder, "slurm");
    const script = join(CLUSTER, "slurm.sh");
    // The queue is empty when all tasks of the array have ended.
    const array = `sbatch --quiet --array=1-4 ${script} && while [ -n "$(squeue -h)" ]; do sleep 0.1; done`;
    shell(`${resolve("test", "cluster", "slurm.sh")} sh -c '${array}'`, { SPEC: spec, OUT });
    const logs = readdirSync(folder).filter((name) => name.startsWith("shard-"));
    assert.equal(logs.sort(), ["shard-1.log", "shard-2.log", "shard-3.log", "shard-4.log"]);
    const { status, stdout } = heteromem(["merge", OUT]);
    assert.match(stdout, /: 6 done, 0 failed, 0 missing\n$/);
    assert.is(status, 0);
    assert.is(merged(OUT), expected);
  });
else {
  console.log("no Slurm: its example is not run on daemons");
  test.skip("an array of four runs four shards", () => {});
}
test.run();
