/** The allocation inside the engine that the config makes fail. */
import { HmmError, type Hmm } from "../index.ts";
import type { FailedAllocation } from "./report.ts";

/** Notes when and how the allocation fails. */
export class FailingAllocation {
  readonly #hmm: Hmm;
  readonly #failed: FailedAllocation | null;

  /** Lets allocation `number` from now on fail, or goes on from what a snapshot of the engine's has kept. */
  constructor(hmm: Hmm, number: number | null, state?: FailedAllocation | null) {
    this.#hmm = hmm;
    if (state !== undefined) this.#failed = state;
    else if (number === null) this.#failed = null;
    else {
      hmm.failAllocation(number);
      this.#failed = { number, reached: false, access: 0, error: null };
    }
  }

  /** What came of it so far, as a copy; null if none is to fail. */
  get report(): FailedAllocation | null {
    return this.#failed && { ...this.#failed };
  }

  /**
   * Whether the allocation has just failed, with `error` or without one; `accesses` says how many accesses
   * came before. Throws HmmError if it broke an invariant of the engine.
   */
  note(error: unknown, accesses: () => number): boolean {
    const failed = this.#failed;
    if (failed === null || failed.reached || this.#hmm.failingAllocation > 0) return false;
    if (error !== null && !(error instanceof HmmError)) return false;
    failed.reached = true;
    failed.access = accesses();
    failed.error = error === null ? null : String(error);
    this.#hmm.verify();
    return true;
  }
}

/** Runs `make`, whose allocations are the simulator's own: they do not fail, and are not counted. */
export function unfailing<T>(hmm: Hmm, make: () => T): T {
  const failing = hmm.failingAllocation;
  hmm.failAllocation(0);
  try {
    return make();
  } finally {
    hmm.failAllocation(failing);
  }
}
