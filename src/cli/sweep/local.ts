/** Runs jobs on this machine, and writes their results. */
import type { JobContent } from "../../sweep/job.ts";
import { resultText, statusOf, type JobStore } from "../../sweep/store.ts";
import type { Pool } from "./pool.ts";
import type { Task } from "./task.ts";

/** Results that are being written at a time, at most: a worker need not wait for the disk. */
const WRITES_MAX = 32;

/** A job that is to run. */
export interface QueuedJob extends Task {
  id: string;
  content: JobContent;
}

/** How jobs run. */
export interface LocalOptions {
  pool: Pool;
  store: JobStore;
  /** Is told what came of each job. */
  done: (status: "done" | "failed") => void;
  /** Ends the start of new jobs. */
  stopping: () => boolean;
}

/**
 * Runs the jobs in order, each once. Resolves when all that were started are written. Throws what the file
 * system does.
 */
export async function runLocally(jobs: Iterable<QueuedJob>, options: LocalOptions): Promise<void> {
  const { pool, store, done, stopping } = options;
  const open = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const finish = async (id: string, content: JobContent, result: Promise<string>): Promise<void> => {
    // A worker that ended takes its job along: the result says so, and --retry-failed runs it again.
    const text = await result.catch((error: Error) =>
      resultText(id, content, { status: "failed", error: `the worker ended: ${error.message}` }),
    );
    await store.write(id, text);
    done(statusOf(id, text)!);
  };
  for (const { id, content, ...task } of jobs) {
    const run = await pool.enter(content);
    if (stopping() || failures.length > 0) break;
    const one = finish(id, content, run(task))
      .catch((error: unknown) => void failures.push(error))
      .finally(() => open.delete(one));
    open.add(one);
    while (open.size > pool.workers + WRITES_MAX) await Promise.race(open);
  }
  await Promise.all(open);
  if (failures.length > 0) throw failures[0];
}
