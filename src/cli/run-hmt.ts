/** Replays an .hmt trace (docs/hmt.md), whose records say themselves who accesses. */
import { SimulationError, type Simulation } from "../sim/simulation.ts";
import { HmtDecoder, HmtFormatError, type HmtStats } from "../text/hmt.ts";
import { loadText } from "../text/index.ts";
import type { NamedRange } from "./args.ts";
import { UserError } from "./errors.ts";
import type { TraceInput } from "./input.ts";
import type { TraceOutcome } from "./outcome.ts";
import type { Progress } from "./progress.ts";
import { plural } from "./words.ts";

export interface HmtSetting {
  input: TraceInput;
  chunks: AsyncIterable<Uint8Array>;
  simulation: Simulation;
  progress: Progress;
  offload: readonly NamedRange[];
}

/** Decodes and replays block by block, until the trace ends or Ctrl-C stops it. Throws UserError. */
export async function replayHmt(setting: HmtSetting): Promise<TraceOutcome> {
  const { input, chunks, simulation, progress, offload } = setting;
  if (offload.length > 0) {
    const { origin } = offload[0];
    throw new UserError(
      `${origin}: ${input.name} says itself what the device does; HETEROMEM_DEVICE marks it`,
    );
  }
  const decoder = await HmtDecoder.create(loadText(), input.name);
  try {
    for await (const chunk of chunks) {
      decoder.feed(chunk, ({ records }) => replayBlock(simulation, records, input, decoder));
      progress.update(decoder.stats().blocks);
      await new Promise((resolve) => setImmediate(resolve)); // lets the bar's timer and Ctrl-C in
    }
    return finish(input, decoder);
  } catch (error) {
    throw error instanceof HmtFormatError ? new UserError(error.message) : error;
  } finally {
    decoder.close();
  }
}

function replayBlock(
  simulation: Simulation,
  records: BigUint64Array,
  input: TraceInput,
  decoder: HmtDecoder,
): void {
  try {
    simulation.replay(records);
  } catch (error) {
    if (!(error instanceof SimulationError)) throw error;
    throw new UserError(`${input.name}: block ${decoder.stats().blocks}: ${error.message}`);
  }
}

/** The end of the trace. One that was cut off is replayed as far as it goes, and the report says so. */
function finish(input: TraceInput, decoder: HmtDecoder): TraceOutcome {
  if (input.stopped) return outcomeOf(decoder.stats(), "interrupted");
  const stats = decoder.end();
  if (stats.accesses === 0) throw new UserError(`${input.name}: no access in this trace`);
  const cut = `${input.name} is cut off after ${plural(stats.blocks, "whole block")}`;
  return outcomeOf(stats, stats.cut ? cut : null);
}

/** The trace's counts in the terms of a text trace: blocks stand for lines. */
function outcomeOf({ blocks }: HmtStats, partial: string | null): TraceOutcome {
  const none = { instructions: 0, comments: 0, superblocks: 0, foreign: 0, processes: [], offload: [] };
  return {
    format: "hmt",
    counts: { ...none, lines: blocks, kernelSkipped: 0, calls: null },
    partial,
    warnings: [],
  };
}
