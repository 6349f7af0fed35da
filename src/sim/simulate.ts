/** Runs a source of records through a simulation, from its first block to its last. */
import type { SimulationConfig } from "./config.ts";
import { referencesOf } from "./first-pass.ts";
import type { SimulationReport } from "./report.ts";
import { check, type SimulateOptions } from "./simulate-options.ts";
import { Simulation } from "./simulation.ts";
import type { Block, Blocks, RecordSource } from "./source.ts";

/** How long a run works before other tasks have their turn: timers, input, and whatever aborts the signal. */
const TURN_MS = 20;

/**
 * Runs a simulation of all records of a source, which is closed at the end, and returns its report. Other
 * tasks of the thread have their turn every 20 ms. With the policy `opt` there is a first pass over the
 * source, whose blocks must be there twice. Throws ConfigError, SimulationError, TypeError for a source that
 * has them once, what the source throws, and the reason of a signal that is aborted, or an Error with that
 * cause.
 */
export async function simulate(
  source: RecordSource | Blocks,
  config: SimulationConfig = {},
  options: SimulateOptions = {},
): Promise<SimulationReport> {
  const future =
    config.evict === "opt" ? await referencesOf(source, config, { signal: options.signal }) : undefined;
  const simulation = await Simulation.create(config, future);
  try {
    await feedAll(simulation, source, options);
    if (future !== undefined && future.length > 0 && simulation.fed === 0)
      throw new TypeError(
        "source: expected one whose blocks can be asked for twice, as evict opt looks ahead",
      );
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
