/** Runs a source of records through a simulation, from its first block to its last. */
import type { SimulationConfig } from "./config.ts";
import type { SimulationReport } from "./report.ts";
import { Simulation } from "./simulation.ts";
import type { Block, Blocks, RecordSource } from "./source.ts";

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

/** How long a run works before other tasks have their turn: timers, input, and whatever aborts the signal. */
const TURN_MS = 20;

/**
 * Runs a simulation of all records of a source, which is closed at the end, and returns its report. Other
 * tasks of the thread have their turn every 20 ms. Throws ConfigError, SimulationError, what the source
 * throws, and the reason of a signal that is aborted, or an Error with that cause.
 */
export async function simulate(
  source: RecordSource | Blocks,
  config: SimulationConfig = {},
  options: SimulateOptions = {},
): Promise<SimulationReport> {
  const simulation = await Simulation.create(config);
  try {
    await feedAll(simulation, source, options);
    return simulation.report();
  } finally {
    simulation.close();
  }
}

/**
 * Feeds a simulation with the blocks of a source, until the source or the config's `roi` ends, and names the
 * source's ranges. Otherwise as {@link simulate}; the simulation stays open.
 */
export async function feedAll(
  simulation: Simulation,
  source: RecordSource | Blocks,
  { onProgress, signal }: SimulateOptions = {},
): Promise<void> {
  const named = "blocks" in source ? source : { blocks: () => source };
  for (const { name, start, bytes } of named.ranges ?? []) simulation.nameRange(name, start, bytes);
  let turn = performance.now();
  check(signal);
  for await (const block of named.blocks()) {
    simulation.feed(withNames(block, named));
    onProgress?.({ records: simulation.fed, accesses: simulation.replayed });
    if (performance.now() - turn > TURN_MS) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      turn = performance.now();
    }
    check(signal);
    if (simulation.done) return;
  }
}

/** A block with the names of the source's kernels. */
function withNames(block: Block, { kernels }: RecordSource): Block {
  return kernels !== undefined && block instanceof BigUint64Array ? { records: block, kernels } : block;
}

function check(signal: Signal | undefined): void {
  if (signal?.aborted !== true) return;
  const { reason } = signal;
  throw reason instanceof Error ? reason : new Error("the simulation was aborted", { cause: reason });
}
