/** The page's side of the worker: starts runs, and hands on what they tell. */
import type { Answer, Numbered, Request } from "./messages.ts";
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

/** The worker, and who hears of the run that began last. */
export class Runner {
  readonly #worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  /** Counts the runs: what an older one still tells is not handed on. */
  #number = 0;
  #hear: (answer: Answer) => void = () => {};

  constructor() {
    this.#worker.addEventListener("message", ({ data: { number, answer } }: MessageEvent<Numbered>) => {
      if (number === this.#number) this.#hear(answer);
    });
    this.#worker.addEventListener("error", ({ message }) => {
      this.#hear({ type: "failed", message: message || "the worker could not be started" });
    });
  }

  /** Ends the run that is under way, and runs another. */
  run(config: Config, file: Blob | null, hear: (answer: Answer) => void, perfetto = false): void {
    this.#hear({ type: "failed", message: "another run has begun" });
    this.#hear = hear;
    this.#number++;
    this.#send({ type: "run", number: this.#number, config, file, perfetto, version: VERSION });
  }

  /** Runs a config once more, and returns its trace for Perfetto. Rejects with Error where the run fails. */
  perfetto(config: Config, file: Blob | null): Promise<Blob> {
    return new Promise((resolve, reject) => {
      const hear = (answer: Answer): void => {
        if (answer.type === "progress") this.send("drawn");
        else if (answer.type === "perfetto") resolve(answer.trace);
        else reject(new Error(answer.type === "failed" ? answer.message : "there is no trace"));
      };
      this.run(config, file, hear, true);
    });
  }

  /** Ends the run that is under way: nothing more is heard of it. */
  forget(): void {
    this.#hear = () => {};
    this.#number++;
    this.send("stop");
  }

  send(type: "pause" | "resume" | "stop" | "drawn"): void {
    this.#send({ type });
  }

  #send(request: Request): void {
    this.#worker.postMessage(request);
  }
}
