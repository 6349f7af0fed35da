/** Runs jobs on this machine: as many at a time as workers and memory allow. */
import type { JobContent } from "../../sweep/job.ts";
import { jobBytes } from "../../sweep/job.ts";
import { resultText, statusOf, type JobStore } from "../../sweep/store.ts";
import type { Runner } from "./pool.ts";
import type { Task } from "./task.ts";

/** A job that is to run. */
export interface QueuedJob extends Task {
  id: string;
  content: JobContent;
}

/** How jobs run. */
export interface LocalOptions {
  pool: Runner;
  store: JobStore;
  workers: number;
  /** Bytes that all engines together may use. */
  memory: number;
  /** Is told what came of each job. */
  done: (status: "done" | "failed") => void;
  /** Ends the start of new jobs. */
  stopping: () => boolean;
}

/** A worker that ended takes its job along: the result says so, and --retry-failed runs it again. */
async function resultOf({ id, content, ...task }: QueuedJob, pool: Runner): Promise<string> {
  try {
    return await pool.run(task);
  } catch (error) {
    return resultText(id, content, {
      status: "failed",
      error: `the worker ended: ${(error as Error).message}`,
    });
  }
}

/**
 * Runs the jobs in order, each once. A job starts when a worker is free and the memory that it may use is, or
 * when nothing else runs. Resolves when all that were started are written. Throws what the file system does.
 */
export async function runLocally(jobs: readonly QueuedJob[], options: LocalOptions): Promise<void> {
  const { pool, store, workers, memory, done, stopping } = options;
  const running = new Set<Promise<void>>();
  let used = 0;
  const start = (job: QueuedJob, bytes: number): void => {
    used += bytes;
    const one = resultOf(job, pool)
      .then(async (text) => {
        await store.write(job.id, text);
        done(statusOf(job.id, text)!);
      })
      .finally(() => {
        used -= bytes;
        running.delete(one);
      });
    running.add(one);
  };
  for (const job of jobs) {
    const bytes = jobBytes(job.content);
    while (running.size > 0 && (running.size >= workers || used + bytes > memory))
      await Promise.race(running);
    if (stopping()) break;
    start(job, bytes);
  }
  await Promise.all(running);
}
