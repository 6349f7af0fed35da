/** Workers that run jobs in threads of their own, one engine in each. */
import type { Piscina } from "piscina";
import type { Task } from "./task.ts";

/** What runs jobs. */
export interface Runner {
  /** Runs a job, and returns its result's text. Rejects if its worker ends. */
  run(task: Task): Promise<string>;
  close(): Promise<void>;
}

/**
 * Starts workers. An engine is made for each job: restoring a snapshot of a booted one takes several times
 * as long as booting one, since its bytes are copied.
 * @param filename the command's own file, whose function `runJob` the workers call
 */
export async function startPool(workers: number, filename: string): Promise<Runner> {
  const { Piscina: Pool } = await import("piscina");
  const pool: Piscina = new Pool({
    filename,
    name: "runJob",
    minThreads: workers,
    maxThreads: workers,
    // A worker that waits for its thread's memory to be shared would keep its core busy.
    atomics: "disabled",
  });
  return {
    run: (task) => pool.run(task) as Promise<string>,
    close: () => pool.destroy(),
  };
}

/** What runs no job. */
export const NO_POOL: Runner = {
  run: () => Promise.reject(new Error("there is no worker")),
  close: () => Promise.resolve(),
};
