/** `heteromem worker`: runs jobs of a queue, until it is stopped. */
import { JobStore, statusOf } from "../../../sweep/store.ts";
import { jobBytes } from "../../../sweep/job.ts";
import { sha256 } from "../../../sweep/canonical.ts";
import { plural } from "../../words.ts";
import { onInterrupt } from "../interrupt.ts";
import { startPool, type Pool } from "../pool.ts";
import { parseMemory, parseWorkers, type Program } from "../limits.ts";
import { JobChecker } from "./check-job.ts";
import { connect, JOBS, loadQueue, parseSilence, queueUrl, type QueueResult } from "./connect.ts";
import { TraceFetcher } from "./fetch-trace.ts";

/** The command's options. */
export interface WorkerFlags {
  queue?: string;
  workers?: string;
  memory?: string;
  traces: string;
  traceSource?: string;
  out?: string;
  silence?: string;
  quiet?: true;
}

/** What runs one job of the queue. */
export interface Parts {
  checker: JobChecker;
  traces: TraceFetcher;
  folder: string;
  pool: Pool;
  store: JobStore | null;
}

/** Thrown for a job that no attempt can run. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

/** Checks and runs a job. Throws RefusedError for one that is none, and Error for what may work again. */
export async function runQueued(id: string | undefined, data: unknown, parts: Parts): Promise<QueueResult> {
  const { checker, traces, folder, pool, store } = parts;
  const checked = (): ReturnType<JobChecker["check"]> => {
    try {
      return checker.check(id, data);
    } catch (error) {
      throw new RefusedError((error as Error).message);
    }
  };
  const { job, content } = checked();
  const bytes = jobBytes(content);
  if (bytes > pool.memory)
    throw new RefusedError(`refused: it may use ${bytes} bytes; --memory is ${pool.memory}`);
  const known = store?.text(id!) ?? null;
  if (known !== null) return { stored: sha256(known) };
  if (job.trace !== null) await traces.need(job.trace);
  const run = await pool.enter(content);
  const text = await run({ job, traces: folder });
  if (store === null) return text;
  if (statusOf(id!, text) !== null) await store.write(id!, text);
  return { stored: sha256(text) };
}

/** Runs the command until SIGINT or SIGTERM, and returns its exit code. */
export async function work(flags: WorkerFlags, { version, filename }: Program): Promise<number> {
  const [workers, memory, silence] = [
    parseWorkers(flags.workers),
    parseMemory(flags.memory),
    parseSilence(flags.silence),
  ];
  const connection = await connect(queueUrl(flags.queue), { silence });
  const { Worker, UnrecoverableError } = await loadQueue();
  const store = flags.out === undefined ? null : new JobStore(flags.out);
  store?.open();
  const pool = await startPool(filename, workers, memory);
  const parts: Parts = {
    checker: new JobChecker(version),
    traces: new TraceFetcher(flags.traces, flags.traceSource ?? null),
    folder: flags.traces,
    pool,
    store,
  };
  let done = 0;
  const say = (text: string): void => {
    if (flags.quiet !== true) process.stderr.write(`heteromem: ${text}\n`);
  };
  const worker = new Worker(
    JOBS,
    async ({ id, data }: { id?: string; data: unknown }) => {
      try {
        const result = await runQueued(id, data, parts);
        done++;
        return result;
      } catch (error) {
        say(`job ${String(id).slice(0, 12)}: ${(error as Error).message}`);
        throw error instanceof RefusedError ? new UnrecoverableError(error.message) : error;
      }
    },
    {
      connection,
      concurrency: workers,
      lockDuration: silence,
      stalledInterval: silence,
      maxStalledCount: 100,
      drainDelay: 1,
    },
  );
  worker.on("error", () => {}); // the connection is opened again
  say(`${plural(workers, "worker")} wait for jobs`);
  await new Promise<void>((resolve) => onInterrupt(resolve));
  await worker.close();
  await pool.close();
  connection.disconnect();
  say(`${plural(done, "job")} done`);
  return 0;
}
