/** How a caller watches and stops a run over a source. */

/** How far a simulation is. */
export interface Progress {
  /** Records that were fed, and accesses that were made. */
  records: number;
  accesses: number;
}

/** What an AbortSignal is to a simulation. */
export interface Signal {
  readonly aborted: boolean;
  readonly reason?: unknown;
}

export interface SimulateOptions {
  /** Is called after each block. */
  onProgress?: ((progress: Progress) => void) | undefined;
  /** Ends the run when it is aborted; an AbortSignal. */
  signal?: Signal | undefined;
}

/** Throws the reason of a signal that is aborted, or an Error with that cause. */
export function check(signal: Signal | undefined): void {
  if (signal?.aborted !== true) return;
  const { reason } = signal;
  throw reason instanceof Error ? reason : new Error("the simulation was aborted", { cause: reason });
}
