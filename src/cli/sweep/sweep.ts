/** `heteromem sweep`: runs the jobs of a sweep that are not done yet. */
import { join } from "node:path";
import { jobBytes } from "../../sweep/job.ts";
import { mergeResults, shardOf, writeManifest } from "../../sweep/manifest.ts";
import { JobStore } from "../../sweep/store.ts";
import { UserError } from "../errors.ts";
import { INTERRUPTED, JOBS_FAILED } from "../exit.ts";
import { bytes, count, plural } from "../words.ts";
import { SweepBar } from "./bar.ts";
import { dryRun } from "./estimate.ts";
import { reasons } from "./failures.ts";
import { parseMemory, parseWorkers, type Program } from "./limits.ts";
import { onInterrupt, type Stop } from "./interrupt.ts";
import { runLocally, type QueuedJob } from "./local.ts";
import { planSweep, type Plan } from "./plan.ts";
import { startPool } from "./pool.ts";
import { connect, parseSilence, queueUrl } from "./queue/connect.ts";
import { attach, enqueue } from "./queue/enqueue.ts";

/** The command's options, as texts. */
export interface SweepFlags {
  out: string;
  traces?: string;
  workers?: string;
  memory?: string;
  shard?: string;
  dryRun?: true;
  retryFailed?: true;
  quiet?: true;
  queue?: string;
  attach?: true;
  detach?: true;
  silence?: string;
}

/** Returns a shard: i of n. Throws UserError. */
export function parseShard(text: string | undefined): { i: number; n: number } {
  if (text === undefined) return { i: 1, n: 1 };
  const [, first, last] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const [i, n] = [Number(first), Number(last)];
  if (!(i >= 1 && i <= n)) throw new UserError(`--shard ${text}: expected i/n, with i from 1 to n`);
  return { i, n };
}

/** Throws UserError for jobs that do not fit into the memory even alone. */
export function demandMemory(jobs: Plan["jobs"], memory: number): void {
  const most = Math.max(...[...jobs.values()].map(({ content }) => jobBytes(content)));
  if (most > memory)
    throw new UserError(
      `--memory ${bytes(memory)}: a job may use ${bytes(most)}; backing metadata has no contents of pages`,
    );
}

/** The ids of a shard's jobs that are to run, in order, each once. */
function missingOf({ manifest }: Plan, store: JobStore, flags: SweepFlags): string[] {
  const shard = shardOf(manifest.jobs, parseShard(flags.shard)).map(({ id }) => id);
  return [...new Set(shard)].filter((id) => {
    const status = store.status(id);
    return status === null || (status === "failed" && flags.retryFailed === true);
  });
}

/** Runs the command and returns its exit code. Throws UserError and SweepError for what cannot be. */
export async function sweep(path: string, flags: SweepFlags, program: Program): Promise<number> {
  const { out, quiet = false } = flags;
  const [workers, memory, shard] = [parseWorkers(flags.workers), parseMemory(flags.memory), flags.shard];
  parseShard(shard);
  const traces = flags.traces ?? join(out, "traces");
  const plan = await planSweep(path, traces, program.version);
  demandMemory(plan.jobs, memory);
  const store = new JobStore(out);
  const missing = missingOf(plan, store, flags);
  if (flags.dryRun === true) {
    process.stdout.write(`${await dryRun(plan, missing, { traces, workers })}\n`);
    return 0;
  }
  store.open();
  await writeManifest(out, plan.manifest);
  const bar = new SweepBar(missing.length, quiet);
  const stop = onInterrupt(() => bar.stop());
  const started = { plan, store, missing, traces, bar, stop };
  try {
    if (flags.queue !== undefined || flags.attach === true || flags.detach === true)
      await runInQueue(started, flags);
    else await runHere(started, { workers, memory, filename: program.filename });
  } finally {
    bar.stop();
    stop.end();
  }
  if (flags.detach === true) {
    process.stdout.write(`${plural(missing.length, "job")} in the queue: --attach waits for them\n`);
    return 0;
  }
  return await summary(plan, store, bar, { asked: stop.asked, out, quiet });
}

/** A sweep that has begun. */
interface Started {
  plan: Plan;
  store: JobStore;
  missing: readonly string[];
  traces: string;
  bar: SweepBar;
  stop: Stop;
}

async function runHere(
  { plan, store, missing, traces, bar, stop }: Started,
  { workers, memory, filename }: { workers: number; memory: number; filename: string },
): Promise<void> {
  const jobs = missing.map((id): QueuedJob => ({ id, ...plan.jobs.get(id)!, traces }));
  if (jobs.length === 0) return;
  // Workers that could never run at a time would only hold memory.
  const fit = Math.floor(memory / Math.min(...jobs.map(({ content }) => jobBytes(content))));
  const pool = await startPool(filename, Math.min(workers, jobs.length, fit), memory);
  try {
    const done = (status: "done" | "failed"): void => bar.add(status);
    await runLocally(jobs, { pool, store, done, stopping: () => stop.asked });
  } finally {
    await pool.close();
  }
}

async function runInQueue({ plan, store, missing, bar, stop }: Started, flags: SweepFlags): Promise<void> {
  if (flags.attach === true && flags.detach === true)
    throw new UserError("--attach and --detach: expected one of them");
  const connection = await connect(queueUrl(flags.queue), { silence: parseSilence(flags.silence) });
  const queued = { plan, store, connection, missing };
  try {
    if (flags.attach !== true && missing.length > 0) await enqueue(queued, flags.retryFailed === true);
    if (flags.detach !== true) await attach(queued, bar, () => stop.asked);
  } finally {
    connection.disconnect();
  }
}

/** Says what was done and what is left, and returns the exit code. */
async function summary(
  { manifest }: Plan,
  store: JobStore,
  bar: SweepBar,
  { asked, out, quiet }: { asked: boolean; out: string; quiet: boolean },
): Promise<number> {
  const { done, failed, errors, missing } = await mergeResults(store, manifest);
  const ran = bar.counts;
  const left = missing.length === 0 ? "" : `, ${count(missing.length)} missing`;
  process.stdout.write(
    `${out}: ${plural(manifest.jobs.length, "job")}: ${count(done)} done, ${count(failed)} failed${left}\n`,
  );
  if (failed > 0) process.stderr.write(`${reasons(errors)}--retry-failed runs the failed ones again\n`);
  const rate = ran.done === 0 ? "" : `, ${(ran.done / Math.max(1e-3, ran.seconds)).toFixed(1)} a second`;
  if (!quiet) process.stderr.write(`${plural(ran.done, "job")} ran in ${ran.seconds.toFixed(2)} s${rate}\n`);
  if (asked) return INTERRUPTED;
  return failed > 0 ? JOBS_FAILED : 0;
}
