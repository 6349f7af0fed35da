/**
 * Measures the stages of one call by reading the clock between its steps. A reading costs tens of
 * nanoseconds, which are subtracted.
 */
import { median } from "./harness.ts";

const READINGS = 100_000;
const REPETITIONS = 9;

function costOfReading(): number {
  const rounds = Array.from({ length: 7 }, () => {
    const start = performance.now();
    for (let i = 1; i < READINGS; i++) performance.now();
    return ((performance.now() - start) * 1e6) / READINGS;
  });
  return median(rounds);
}

export class StageClock {
  readonly #names: readonly string[];
  readonly #spent: Float64Array;
  readonly #reading = costOfReading();
  #since = 0;

  constructor(names: readonly string[]) {
    this.#names = names;
    this.#spent = new Float64Array(names.length);
  }

  /** Begins the first stage. */
  start(): void {
    this.#since = performance.now();
  }

  /** Ends stage `index` and begins the next one. */
  lap(index: number): void {
    const now = performance.now();
    this.#spent[index] += now - this.#since;
    this.#since = now;
  }

  /** Returns the nanoseconds a unit of each stage since the last call, and starts over. */
  take(units: number): number[] {
    const ns = Array.from(this.#spent, (ms) => Math.max((ms * 1e6) / units - this.#reading, 0));
    this.#spent.fill(0);
    return ns;
  }

  /**
   * Returns the medians of a few repetitions after a warm-up, in nanoseconds a unit: "setup 210 · copy 300".
   */
  measure(repetition: () => void, units: number): string {
    for (let i = 0; i < REPETITIONS; i++) repetition();
    this.take(units);
    const all = Array.from({ length: REPETITIONS }, () => {
      repetition();
      return this.take(units);
    });
    return this.#names.map((name, i) => `${name} ${median(all.map((ns) => ns[i])).toFixed(0)}`).join(" · ");
  }
}
