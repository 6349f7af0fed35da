/** `heteromem sweep --queue`: jobs go into a queue by their ids, and their results come back. */
import type { Redis } from "ioredis";
import { sha256 } from "../../../sweep/canonical.ts";
import { mergeResults, sweepId } from "../../../sweep/manifest.ts";
import { resultText, statusOf, type JobStore } from "../../../sweep/store.ts";
import type { SweepBar } from "../bar.ts";
import type { Plan } from "../plan.ts";
import { JOBS, loadQueue, parentQueue, type QueueResult } from "./connect.ts";

/** Days for which Redis keeps results. */
const KEPT_DAYS = 7;
const KEPT = { age: KEPT_DAYS * 24 * 3600 };
/** How often a job runs whose worker ends. */
const ATTEMPTS = 3;
/** Jobs that are asked for at a time, and milliseconds between two looks. */
const BATCH = 2000;
const PAUSE = 200;
/** Milliseconds for which a client waits for the parent job. */
const PARENT_WAIT = 3000;

/** A sweep in a queue. */
export interface Queued {
  plan: Plan;
  store: JobStore;
  connection: Redis;
  /** Ids of the jobs whose results are not there. */
  missing: readonly string[];
}

/** Ids of jobs that another sweep waits for already: they keep it as their parent. */
async function ofOthers(
  connection: Redis,
  keyOf: (id: string) => string,
  ids: readonly string[],
  parent: string,
): Promise<Set<string>> {
  const found = new Set<string>();
  for (let at = 0; at < ids.length; at += BATCH) {
    const part = ids.slice(at, at + BATCH);
    const pipeline = connection.pipeline();
    for (const id of part) pipeline.hget(keyOf(id), "parentKey");
    const answers = (await pipeline.exec())!;
    part.forEach((id, i) => {
      const key = answers[i][1] as string | null;
      if (key !== null && !key.endsWith(`:${parent}`)) found.add(id);
    });
  }
  return found;
}

/**
 * Puts jobs into the queue, each by its id: one that is there already is not added again. A parent job waits
 * for them. `again`: results of earlier attempts are removed first.
 */
export async function enqueue({ plan, connection, missing }: Queued, again: boolean): Promise<void> {
  const { FlowProducer, Queue } = await loadQueue();
  const queue = new Queue(JOBS, { connection, streams: { events: { maxLen: 1000 } } });
  const flows = new FlowProducer({ connection });
  try {
    if (again) for (const id of missing) await queue.remove(id);
    const sweep = sweepId(plan.manifest);
    const theirs = await ofOthers(connection, (id) => queue.toKey(id), missing, sweep);
    const opts = { attempts: ATTEMPTS, removeOnComplete: KEPT, removeOnFail: KEPT };
    const jobOf = (id: string): object => plan.jobs.get(id)!.job;
    const children = missing
      .filter((id) => !theirs.has(id))
      .map((id) => ({
        name: "job",
        queueName: JOBS,
        data: jobOf(id),
        opts: { ...opts, jobId: id, ignoreDependencyOnFailure: true },
      }));
    await queue.addBulk(
      [...theirs].map((id) => ({ name: "job", data: jobOf(id), opts: { ...opts, jobId: id } })),
    );
    const parent = { name: plan.manifest.name, queueName: parentQueue(sweep), data: {} };
    await flows.add({
      ...parent,
      opts: { jobId: sweep, removeOnComplete: KEPT, removeOnFail: KEPT },
      children,
    });
  } finally {
    await flows.close();
    await queue.close();
  }
}

/** The text of a job's result as the queue has it; null: it has none yet. */
function textOf(
  { plan, store }: Queued,
  id: string,
  [value, reason, finished]: (string | null)[],
): string | null {
  if (finished === null) return null;
  const failed = (error: string): string =>
    resultText(id, plan.jobs.get(id)!.content, { status: "failed", error });
  if (value === null) return failed(reason ?? "the job failed");
  const result = JSON.parse(value) as QueueResult;
  if (typeof result === "string")
    return statusOf(id, result) === null ? failed("not this job's result") : result;
  const text = store.text(id);
  const shared = text !== null && sha256(text) === result.stored;
  return shared ? text : failed("its result is in a directory of the worker; --out must be the same one");
}

/**
 * Writes results as they come, until all are there or `stopping`. Connections that are lost are opened again
 * meanwhile.
 */
async function collect(queued: Queued, bar: SweepBar, stopping: () => boolean): Promise<void> {
  const { store, connection } = queued;
  const { Queue } = await loadQueue();
  const queue = new Queue(JOBS, { connection });
  queue.on("error", () => {}); // the connection is opened again
  const waiting = new Set(queued.missing);
  try {
    while (waiting.size > 0 && !stopping()) {
      const part = [...waiting].slice(0, BATCH);
      const pipeline = connection.pipeline();
      for (const id of part) pipeline.hmget(queue.toKey(id), "returnvalue", "failedReason", "finishedOn");
      const answers = (await pipeline.exec()) ?? [];
      let found = 0;
      for (const [i, id] of part.entries()) {
        const [error, values] = answers[i] ?? [null, null];
        const text =
          error === null && values !== null ? textOf(queued, id, values as (string | null)[]) : null;
        waiting.delete(id);
        if (text === null)
          waiting.add(id); // behind the others
        else {
          await store.write(id, text);
          bar.add(statusOf(id, text)!);
          found++;
        }
      }
      if (found === 0) await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  } finally {
    await queue.close();
  }
}

/**
 * Waits for results, and does the sweep's parent job when its children are done: it writes all results as one
 * file.
 */
export async function attach(queued: Queued, bar: SweepBar, stopping: () => boolean): Promise<void> {
  const { plan, store, connection } = queued;
  const { Worker } = await loadQueue();
  const all = collect(queued, bar, stopping);
  const merge = async (): Promise<object> => {
    await all;
    const { done, failed, missing } = await mergeResults(store, plan.manifest);
    return { done, failed, missing: missing.length };
  };
  const parent = new Worker(parentQueue(sweepId(plan.manifest)), merge, { connection, drainDelay: 1 });
  parent.on("error", () => {});
  const merged = new Promise((resolve) => parent.once("completed", resolve));
  try {
    await all;
    // Another client may have done it.
    if (!stopping()) await Promise.race([merged, new Promise((resolve) => setTimeout(resolve, PARENT_WAIT))]);
  } finally {
    await parent.close();
  }
}
