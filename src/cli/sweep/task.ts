/** What a worker of a sweep does: runs one job, and returns the bytes of its result. */
import type { Hmm } from "../../index.ts";
import { EngineSlot } from "../../inside.ts";
import { ConfigError, Simulation, WorkloadError } from "../../sim.ts";
import { settingsOf } from "../../sim/config.ts";
import { engineConfigOf } from "../../sim/world.ts";
import { contentOf, idOf, type Job } from "../../sweep/job.ts";
import { resultText } from "../../sweep/store.ts";
import { UserError } from "../errors.ts";
import { TraceInput } from "../input.ts";
import { Progress } from "../progress.ts";
import { replay } from "../run.ts";
import { packageVersion } from "./engine-version.ts";
import { tracePath } from "./traces.ts";

/** A job, and where its trace lies. */
export interface Task {
  job: Job;
  /** The folder of traces by their digests. */
  traces: string;
}

/** This thread's engine, from one job to the next. */
const engines = new EngineSlot();

/** Ends with the job that this thread runs. */
let busy: Promise<unknown> = Promise.resolve();

/**
 * Runs a job when those that came to this thread before are done, in an engine that no other job has changed.
 * Returns its result's text, which says why where the job cannot be done. The same job gives the same text on
 * every machine.
 */
export function runJob(task: Task): Promise<string> {
  const result = busy.then(() => resultOf(task));
  busy = result.catch(() => {});
  return result;
}

async function resultOf({ job, traces }: Task): Promise<string> {
  const content = contentOf(job);
  const id = idOf(content);
  const { trace } = job;
  const path = trace === null ? null : tracePath(traces, trace);
  const nameOf = (field: string): string => field;
  const config = { ...job.config, ...(path === null ? {} : { trace: path }) };
  const signal = { aborted: false, reason: new Error("stopped") };
  let engine: Hmm | undefined;
  const create: typeof Simulation.create = async (fields = {}, future) => {
    engine = await engines.take(engineConfigOf(settingsOf(fields)));
    return Simulation.over(engine, fields, future);
  };
  const watch = {
    progress: new Progress(null, true),
    signal,
    version: packageVersion(job.engine),
    pictures: null,
    create,
  };
  const named = (text: string): string => (path === null ? text : text.replaceAll(path, `trace ${trace}`));
  const file = path === null ? null : await TraceInput.open(path);
  try {
    const { report } = await replay({ config, given: config, nameOf }, file, watch);
    if (engine !== undefined) engines.give(engine);
    report.trace.file = named(report.trace.file);
    return resultText(id, content, { status: "done", report });
  } catch (error) {
    if (!(error instanceof UserError || error instanceof ConfigError || error instanceof WorkloadError))
      throw error;
    return resultText(id, content, { status: "failed", error: named(error.message) });
  } finally {
    file?.close();
  }
}
