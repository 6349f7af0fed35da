/** Traces of jobs from a queue: a worker fetches what it lacks, and checks the digest. */
import { createReadStream, createWriteStream, existsSync, mkdirSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { digestOf, tracePath } from "../traces.ts";

/** Opens a trace of a source: a URL of http or https, or a directory. */
async function openSource(source: string, digest: string): Promise<Readable> {
  if (!/^https?:\/\//.test(source)) return createReadStream(tracePath(source, digest));
  const answer = await fetch(`${source.replace(/\/$/, "")}/${digest}.hmt`);
  if (!answer.ok || answer.body === null) throw new Error(`HTTP status ${answer.status}`);
  return Readable.fromWeb(answer.body as ReadableStream);
}

/** Fetches traces into a directory, each once. */
export class TraceFetcher {
  readonly #traces: string;
  readonly #source: string | null;
  readonly #running = new Map<string, Promise<void>>();

  /**
   * @param traces the worker's directory
   * @param source where it fetches what is not there; null: nowhere
   */
  constructor(traces: string, source: string | null) {
    this.#traces = traces;
    this.#source = source;
    mkdirSync(traces, { recursive: true });
  }

  /** Resolves when the trace is there. Throws Error if it cannot be fetched, or has another digest. */
  async need(digest: string): Promise<void> {
    const one = this.#running.get(digest) ?? this.#fetch(digest);
    this.#running.set(digest, one);
    try {
      await one;
    } catch (error) {
      this.#running.delete(digest);
      throw error;
    }
  }

  async #fetch(digest: string): Promise<void> {
    const path = tracePath(this.#traces, digest);
    if (existsSync(path)) return check(path, digest);
    if (this.#source === null)
      throw new Error(`trace ${digest} is not there; --trace-source says where it is`);
    const temporary = join(this.#traces, `.${process.pid}.${digest}.tmp`);
    try {
      await pipeline(await openSource(this.#source, digest), createWriteStream(temporary));
      await check(temporary, digest);
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw new Error(`trace ${digest}: ${(error as Error).message}`, { cause: error });
    }
  }
}

async function check(path: string, digest: string): Promise<void> {
  const found = await digestOf(path);
  if (found !== digest) throw new Error(`its bytes have another digest, ${found}`);
}
