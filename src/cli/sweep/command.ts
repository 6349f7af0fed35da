/** The arguments and options of `heteromem sweep`. */
import type { Command } from "commander";
import { merge, results, type ResultsFlags } from "./results.ts";
import type { Program } from "./limits.ts";
import { work, type WorkerFlags } from "./queue/worker.ts";
import { sweep, type SweepFlags } from "./sweep.ts";

const SWEEP_HELP = `
SPEC is a file of JSON or YAML: a config of heteromem run, and axes over its fields (docs/sweep.md).
Results are DIR/jobs/ID.json. What is there is not run again, so a sweep can be stopped and go on.

Examples:
  heteromem sweep policies.yaml --dry-run
  heteromem sweep policies.yaml --out policies
  heteromem sweep policies.yaml --out policies --shard 2/8

Exit codes: 0 done, 1 jobs failed, 2 wrong usage or input, 130 interrupted (Ctrl-C finishes what runs).`;

/** Adds the command to the program. */
export function addSweep(command: Command, program: Program): void {
  command
    .command("sweep")
    .description("run a grid of simulations on all processors")
    .argument("<spec>", "the sweep, a file of JSON or YAML")
    .option("--out <DIR>", "the directory of results", "sweep")
    .option("--traces <DIR>", "the cache of traces (default: DIR/traces)")
    .option("--workers <N>", "jobs that run at a time (default: the number of processors)")
    .option("--memory <SIZE>", "what all engines may use (default: most of the host's memory)")
    .option("--shard <i/n>", "run every n-th job from the i-th on")
    .option("--dry-run", "print the jobs, and how long they would take; write nothing")
    .option("--retry-failed", "run jobs again that failed")
    .option("--queue <URL>", "have the workers of a queue run the jobs: redis://HOST:PORT, or rediss://")
    .option("--attach", "put nothing into the queue; wait for the results of what is there")
    .option("--detach", "put the jobs into the queue, and do not wait")
    .option("--silence <S>", "open a connection again that is silent for so many seconds (default: 30)")
    .option("--quiet", "no progress bar, and no time on stderr")
    .addHelpText("after", SWEEP_HELP)
    .action(async (spec: string, flags: SweepFlags) => {
      process.exitCode = await sweep(spec, flags, program);
    });
}

const RESULTS_HELP = `
DIR is what heteromem sweep --out has written. Without an option, a table of means over seeds is printed.

Exit codes: 0 done, 1 jobs failed, 2 wrong usage or input, 3 jobs are missing.`;

/** Adds the commands that read results. */
export function addResults(command: Command): void {
  command
    .command("results")
    .description("print the results of a sweep, or write their page")
    .argument("<dir>", "the directory of results")
    .option("--csv", "a line for each job, with all figures")
    .option("--json", "a list of all jobs, with all figures")
    .option("--html <FILE>", "write a page: any figure against any axis, and the best jobs")
    .option("--config <ID>", "print the config of one job, by the beginning of its id")
    .addHelpText("after", RESULTS_HELP)
    .action((dir: string, flags: ResultsFlags) => {
      process.exitCode = results(dir, flags);
    });
  command
    .command("merge")
    .description("join directories of one sweep, and say what is missing")
    .argument("<dir...>", "directories of shards")
    .option("--out <DIR>", "the directory that gets all results (default: the first one)")
    .addHelpText("after", RESULTS_HELP.slice(RESULTS_HELP.indexOf("\nExit")))
    .action(async (dirs: string[], { out = dirs[0] }: { out?: string }) => {
      process.exitCode = await merge(dirs, out);
    });
}

const WORKER_HELP = `
A worker takes jobs of heteromem sweep --queue, as many at a time as it has workers, until Ctrl-C. It needs
the packages bullmq and ioredis beside heteromem. A job can only name a config and the digest of a trace.

Examples:
  heteromem worker --queue redis://host:6379
  heteromem worker --queue rediss://:PASSWORD@host:6379 --trace-source https://host/traces`;

/** Adds the command that runs jobs of a queue. */
export function addWorker(command: Command, program: Program): void {
  command
    .command("worker")
    .description("run jobs of a queue on Redis")
    .option("--queue <URL>", "redis://HOST:PORT, or rediss:// (default: the variable HETEROMEM_QUEUE)")
    .option("--workers <N>", "jobs that run at a time (default: the number of processors)")
    .option("--memory <SIZE>", "what all engines may use (default: most of the host's memory)")
    .option("--traces <DIR>", "the directory of traces by their digests", "traces")
    .option("--trace-source <URL|DIR>", "where traces are fetched that are not there")
    .option("--out <DIR>", "a directory that workers and sweep share: results lie there")
    .option("--silence <S>", "seconds after which a silent worker's job is another's (default: 30)")
    .option("--quiet", "say nothing on stderr")
    .addHelpText("after", WORKER_HELP)
    .action(async (flags: WorkerFlags) => {
      process.exitCode = await work(flags, program);
    });
}
