/** examples/cluster: Kubernetes and GitHub run the same sweep in shards, to the same bytes. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { folder } from "../cli/command.ts";
import { CLUSTER, merged, setUpCluster, shell, type Sweep } from "./cluster.ts";

const test = suite("examples: hosted clusters");
let sweep: Sweep;
const run = (script: string, variables: Record<string, string>): string =>
  shell(script, { SPEC: sweep.spec, ...variables });
test.before(() => {
  sweep = setUpCluster();
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
test.run();
