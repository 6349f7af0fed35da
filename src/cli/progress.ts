import cliProgress from "cli-progress";
import type { TraceInput } from "./input.ts";
import { count } from "./words.ts";

/** A bar on stderr, which disappears when it is stopped. Its user handles Ctrl-C. */
export function terminalBar(format: string): cliProgress.SingleBar {
  return new cliProgress.SingleBar({
    format,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    barsize: 32,
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    gracefulExit: false,
  });
}

/** Shows how far a run is, by a bar on stderr if that is a terminal. The bar disappears when the run ends. */
export class Progress {
  readonly #input: TraceInput | null;
  readonly #start = performance.now();
  readonly #bar: cliProgress.SingleBar | undefined;

  /** @param input the trace; null, and no bar: a workload, whose end is not known */
  constructor(input: TraceInput | null, quiet: boolean) {
    this.#input = input;
    if (input === null || quiet || !process.stderr.isTTY || input.size === undefined || input.size === 0)
      return;
    this.#bar = terminalBar("{bar} {percentage} %  {lines} lines  {left}");
    this.#bar.start(input.size, 0, { lines: "0", left: "" });
  }

  /** Shows that `lines` lines are decoded. */
  update(lines: number): void {
    this.#bar?.update(this.#input!.bytesRead, { lines: count(lines), left: this.#left() });
  }

  /** The time that is left at the speed so far. */
  #left(): string {
    const { bytesRead, size = 0 } = this.#input!;
    const seconds = (performance.now() - this.#start) / 1000;
    if (seconds < 1 || bytesRead === 0) return "";
    return `${count(Math.ceil((seconds * (size - bytesRead)) / bytesRead))} s left`;
  }

  /** Takes the bar away. */
  stop(): void {
    this.#bar?.stop();
  }
}
