/** Workers that run jobs in threads of their own, one engine in each. */
import type { Piscina } from "piscina";
import { jobBytes, type JobContent } from "../../sweep/job.ts";
import { Gate } from "./gate.ts";
import type { Task } from "./task.ts";

/** Milliseconds of a short job: the way to a worker and back takes a good part of it. */
const SHORT_MS = 200;

/** What runs tasks. */
export interface Threads {
  /** Runs a task, and returns its result's text. Rejects if its thread ends. */
  run(task: Task): Promise<string>;
  close(): Promise<void>;
}

/**
 * Runs jobs: as many at a time as workers and memory allow. Behind a short job another one waits in the
 * worker's thread; behind a long one none does, since it would keep that from a worker that is free earlier.
 */
export class Pool {
  readonly workers: number;
  readonly #threads: Threads;
  readonly #gate: Gate;

  /** @param workers threads, of which each runs one task at a time; those sent to it meanwhile wait there */
  constructor(threads: Threads, workers: number, memory: number) {
    this.workers = workers;
    this.#threads = threads;
    this.#gate = new Gate(workers, memory);
  }

  /** Bytes that all jobs together may use. */
  get memory(): number {
    return this.#gate.memory;
  }

  /**
   * Resolves when a worker takes another job and its memory is free, which the job must fit in; to a function
   * that runs it, and frees them at the end. It returns the result's text, and rejects if its worker ends.
   */
  async enter(content: JobContent): Promise<(task: Task) => Promise<string>> {
    const bytes = jobBytes(content);
    await this.#gate.enter(bytes);
    return async (task) => {
      const sent = performance.now();
      try {
        return await this.#threads.run(task);
      } finally {
        const isShort = performance.now() - sent < SHORT_MS;
        this.#gate.places = isShort ? 2 * this.workers : this.workers;
        this.#gate.leave(bytes);
      }
    };
  }

  close(): Promise<void> {
    return this.#threads.close();
  }
}

/**
 * Starts workers.
 * @param filename the command's own file, whose function `runJob` the workers call
 * @param memory bytes that all jobs together may use
 */
export async function startPool(filename: string, workers: number, memory: number): Promise<Pool> {
  const { Piscina: Workers } = await import("piscina");
  const threads: Piscina = new Workers({
    filename,
    name: "runJob",
    minThreads: workers,
    maxThreads: workers,
    concurrentTasksPerWorker: 2,
    // A worker that waits for its thread's memory to be shared would keep its core busy.
    atomics: "disabled",
  });
  const run = (task: Task): Promise<string> => threads.run(task) as Promise<string>;
  return new Pool({ run, close: () => threads.destroy() }, workers, memory);
}
