/** Replays an .hmt trace (docs/hmt.md), whose records say themselves who accesses. */
import { SimulationError, type Simulation } from "../sim/simulation.ts";
import { HmtDecoder, HmtFormatError, type HmtStats } from "../text/hmt.ts";
import { loadText } from "../text/index.ts";
import type { LackeyStats } from "../text/lackey.ts";
import type { NamedRange } from "./args.ts";
import { UserError } from "./errors.ts";
import type { TraceInput } from "./input.ts";
import type { Progress } from "./progress.ts";
import { plural } from "./report.ts";

/** Decodes and replays block by block, until the trace or the user's patience ends. Throws UserError. */
export async function replayHmt(
  input: TraceInput,
  chunks: AsyncIterable<Uint8Array>,
  simulation: Simulation,
  progress: Progress,
  offload: readonly NamedRange[],
): Promise<LackeyStats> {
  if (offload.length > 0) {
    const { origin } = offload[0];
    throw new UserError(
      `${origin}: ${input.name} says itself what the device does; HETEROMEM_DEVICE marks it`,
    );
  }
  const decoder = await HmtDecoder.create(loadText(), input.name);
  try {
    for await (const chunk of chunks) {
      decoder.feed(chunk, ({ words }) => replayBlock(simulation, words, input, decoder));
      progress.update(decoder.stats().blocks);
      await new Promise((resolve) => setImmediate(resolve)); // lets the bar's timer and Ctrl-C in
    }
    return inLines(finish(input, decoder));
  } catch (error) {
    throw error instanceof HmtFormatError ? new UserError(error.message) : error;
  } finally {
    decoder.close();
  }
}

function replayBlock(
  simulation: Simulation,
  words: BigUint64Array,
  input: TraceInput,
  decoder: HmtDecoder,
): void {
  try {
    simulation.replay(words);
  } catch (error) {
    if (!(error instanceof SimulationError)) throw error;
    throw new UserError(`${input.name}: block ${decoder.stats().blocks}: ${error.message}`);
  }
}

/** The end of the trace. One that was cut off is replayed as far as it goes, and that is said. */
function finish(input: TraceInput, decoder: HmtDecoder): HmtStats {
  if (input.stopped) return decoder.stats();
  const stats = decoder.end();
  if (stats.accesses === 0) throw new UserError(`${input.name}: no access in this trace`);
  if (stats.cut)
    process.stderr.write(
      `heteromem: ${input.name} was cut off: the report is about its ${plural(stats.blocks, "whole block")}\n`,
    );
  return stats;
}

/** The trace's counts in the terms of a text trace: blocks stand for lines. */
function inLines({ blocks, accesses, kernelSkipped }: HmtStats): LackeyStats {
  const none = { instructions: 0, stores: 0, modifies: 0, device: 0, comments: 0, offload: [] };
  return { ...none, lines: blocks, loads: accesses, kernelSkipped };
}
