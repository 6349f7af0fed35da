/** The page's side of the worker: starts runs, and hands on what they tell. */
import type { Answer, Request } from "./messages.ts";
import { isBundled, type Config } from "./question.ts";

declare const VERSION: string;

/** Loads a trace that comes with the site. Rejects with Error where it cannot be loaded. */
async function bundled(trace: string): Promise<Blob> {
  const response = await fetch(new URL(`../${trace}`, location.href));
  if (!response.ok) throw new Error(`${trace}: the server answered ${response.status}`);
  return response.blob();
}

/** Returns the file of a config's trace; null for a workload. Rejects with Error where there is none. */
export async function fileOf(config: Config, dropped: File | null): Promise<Blob | null> {
  const { trace } = config;
  if (typeof trace !== "string") return null;
  if (isBundled(trace)) return bundled(trace);
  if (dropped === null) throw new Error(`Choose the file ${trace}: the address holds its name alone.`);
  return dropped;
}

/** A worker, and who hears it. One run at a time. */
export class Runner {
  readonly #worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });

  constructor(hear: (answer: Answer) => void) {
    this.#worker.addEventListener("message", ({ data }: MessageEvent<Answer>) => hear(data));
    this.#worker.addEventListener("error", ({ message }) => {
      hear({ type: "failed", message: message || "the worker could not be started" });
    });
  }

  run(config: Config, file: Blob | null, perfetto = false): void {
    this.#send({ type: "run", config, file, perfetto, version: VERSION });
  }

  send(type: "pause" | "resume" | "stop" | "drawn"): void {
    this.#send({ type });
  }

  close(): void {
    this.#worker.terminate();
  }

  #send(request: Request): void {
    this.#worker.postMessage(request);
  }
}

/** Runs a config once more, and returns its trace for Perfetto. Rejects with Error where the run fails. */
export function perfettoOf(config: Config, file: Blob | null): Promise<Blob> {
  return new Promise((resolve, reject) => {
    const runner = new Runner((answer) => {
      if (answer.type === "progress") return runner.send("drawn");
      runner.close();
      if (answer.type === "perfetto") resolve(answer.trace);
      else reject(new Error(answer.type === "failed" ? answer.message : "there is no trace"));
    });
    runner.run(config, file, true);
  });
}
