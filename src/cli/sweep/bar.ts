/** How far a sweep is: a bar on a terminal. */
import type { SingleBar } from "cli-progress";
import { terminalBar } from "../progress.ts";
import { count } from "../words.ts";

/** Counts jobs, and shows them on stderr if that is a terminal. */
export class SweepBar {
  readonly #start = performance.now();
  readonly #bar: SingleBar | undefined;
  readonly #total: number;
  #done = 0;
  #failed = 0;

  /** @param total jobs that are to run */
  constructor(total: number, quiet: boolean) {
    this.#total = total;
    if (quiet || !process.stderr.isTTY || total === 0) return;
    this.#bar = terminalBar("{bar} {value}/{total} jobs  {rate} a second  {left}  {failed}");
    this.#bar.start(total, 0, { rate: "–", left: "", failed: "" });
  }

  /** Jobs that were done, failures included; and failures. */
  get counts(): { done: number; failed: number; seconds: number } {
    return { done: this.#done, failed: this.#failed, seconds: (performance.now() - this.#start) / 1000 };
  }

  /** Counts a job. */
  add(status: "done" | "failed"): void {
    this.#done++;
    if (status === "failed") this.#failed++;
    const rate = this.#done / Math.max(1e-3, this.counts.seconds);
    this.#bar?.update(this.#done, {
      rate: rate >= 10 ? rate.toFixed(0) : rate.toFixed(2),
      left: `${spanOf((this.#total - this.#done) / rate)} left`,
      failed: this.#failed === 0 ? "" : `${count(this.#failed)} failed`,
    });
  }

  /** Takes the bar away. */
  stop(): void {
    this.#bar?.stop();
  }
}

/** A span of seconds in words: 45 s, 3 min 20 s, 2 h 5 min. */
export function spanOf(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${count(Math.floor(whole / 3600))} h ${Math.floor((whole % 3600) / 60)} min`;
}
