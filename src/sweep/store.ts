/** A directory of results: DIR/jobs/ID.json for each job, written whole or not at all. */
import {
  closeSync,
  fsync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { SimulationReport } from "../sim.ts";
import { SweepError } from "./error.ts";
import { JOB_SCHEMA, type JobContent } from "./job.ts";

/** What came of a job. */
export type JobResult = { schema: typeof JOB_SCHEMA; id: string; content: JobContent } & (
  { status: "done"; report: SimulationReport } | { status: "failed"; error: string }
);

/** Returns the bytes of a result's file: the same job gives the same bytes. */
export function resultText(id: string, content: JobContent | null, outcome: object): string {
  return `${JSON.stringify({ schema: JOB_SCHEMA, id, ...outcome, content })}\n`;
}

const startOf = (id: string, status: string): string =>
  `{"schema":"${JOB_SCHEMA}","id":"${id}","status":"${status}"`;

/** What a result's text says: that the job is done or failed; null: it is no whole result of this job. */
export function statusOf(id: string, text: string): "done" | "failed" | null {
  if (!text.endsWith("}\n")) return null;
  if (text.startsWith(startOf(id, "done"))) return "done";
  return text.startsWith(startOf(id, "failed")) ? "failed" : null;
}

/** Resolves when a file's bytes are on the disk. */
function sync(file: number): Promise<void> {
  return new Promise((resolve, reject) =>
    fsync(file, (error) => (error === null ? resolve() : reject(error))),
  );
}

/**
 * Writes a file whole or not at all: under another name, which is synced and renamed. Only the sync is waited
 * for by the event loop: the rest takes less than a thread that does it would.
 * @param folder where the other name is; on the same file system
 */
export async function writeWhole(path: string, folder: string, content: string | Uint8Array): Promise<void> {
  const temporary = join(folder, `.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`);
  try {
    const file = openSync(temporary, "wx");
    try {
      writeFileSync(file, content);
      await sync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** The results in a directory. */
export class JobStore {
  readonly dir: string;
  readonly #jobs: string;

  /** The directory need not be there yet. */
  constructor(dir: string) {
    this.dir = dir;
    this.#jobs = join(dir, "jobs");
  }

  /**
   * Makes the directory, and removes what processes left that were ended while they wrote. Throws SweepError
   * if it cannot be made.
   */
  open(): void {
    try {
      mkdirSync(this.#jobs, { recursive: true });
    } catch (error) {
      throw new SweepError(`${this.dir}: ${(error as Error).message}`);
    }
    for (const name of readdirSync(this.#jobs)) {
      const pid = /^\.(\d+)\..*\.tmp$/.exec(name)?.[1];
      if (pid !== undefined && !isRunning(Number(pid))) rmSync(join(this.#jobs, name), { force: true });
    }
  }

  /** The file of a job's result. */
  path(id: string): string {
    return join(this.#jobs, `${id}.json`);
  }

  /** The text of a job's result; null: there is none that is whole. */
  text(id: string): string | null {
    try {
      const text = readFileSync(this.path(id), "utf8");
      return statusOf(id, text) === null ? null : text;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
  }

  /** What came of a job; null: it is missing. */
  status(id: string): "done" | "failed" | null {
    const text = this.text(id);
    return text === null ? null : statusOf(id, text);
  }

  /** A job's result; null: it is missing. */
  read(id: string): JobResult | null {
    const text = this.text(id);
    return text === null ? null : (JSON.parse(text) as JobResult);
  }

  /** Writes a job's result. Throws SweepError if the file system does not take it. */
  async write(id: string, text: string): Promise<void> {
    try {
      await writeWhole(this.path(id), this.#jobs, text);
    } catch (error) {
      throw new SweepError(`${this.dir}: ${(error as Error).message}`);
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
