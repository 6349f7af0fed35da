/** Where `heteromem convert` has its records from: a trace of any format, or a workload. */
import { RECORD_MARK_KERNEL_END, RECORD_MARK_RANGE } from "../../assembly/abi/record.ts";
import { openWorkload, WorkloadError, type WorkloadRange } from "../sim/workload/index.ts";
import type { DecodedBlock, TraceDecoder } from "../text/decoder.ts";
import { HmtFormat } from "../text/hmt-format.ts";
import type { EventOf, HmtAbout } from "../text/hmt-writer.ts";
import type { HmtEvent } from "../text/hmt.ts";
import type { TextModule } from "../text/index.ts";
import { DamagedError, UserError } from "./errors.ts";
import { STOPPED } from "./exit.ts";
import type { TraceInput } from "./input.ts";
import { asUserError, endOf, makeDecoder, recognizeTrace } from "./open-trace.ts";
import type { Progress } from "./progress.ts";

const WORKLOAD = "workload:";
/** Milliseconds of work after which the bar's timer and Ctrl-C have their turn. */
const TURN = 50;
/** CUDA's number for no advice, and what an .hmt event has for no device. */
const NO_ADVICE = 0;
const NO_DEVICE = 65535;
const KERNEL_END = BigInt(RECORD_MARK_KERNEL_END);

/** Takes records as they come. `about` is what the trace says about itself so far. */
export type TakeRecords = (records: BigUint64Array, eventOf: EventOf, about: HmtAbout) => void;

/** What came of reading a source to its end. */
export interface Read {
  /** Why this is not all of it; null if it is. */
  partial: string | null;
  accesses: number;
  /** Accesses that its recorder has lost. */
  lost: number;
}

export const isWorkload = (path: string): boolean => path.startsWith(WORKLOAD);

/** A mark that says no more than its kind and name. */
function bareEvent(kind: number, name: string): HmtEvent {
  return { kind, advice: NO_ADVICE, device: 0, name, address: 0, bytes: 0 };
}

/** A block that names the ranges of a workload. */
function nameRanges(ranges: readonly WorkloadRange[], take: TakeRecords, about: HmtAbout): void {
  const marks = new BigUint64Array(2 * ranges.length);
  ranges.forEach((_, i) => (marks[2 * i + 1] = BigInt(RECORD_MARK_RANGE) | (BigInt(i) << 32n)));
  const eventOf = (kind: number, id: number): HmtEvent => {
    const { name, start, bytes } = ranges[id];
    return { kind, advice: NO_ADVICE, device: NO_DEVICE, name, address: start, bytes };
  };
  take(marks, eventOf, about);
}

/** Reads a workload, `workload:gups:size=64MiB,seed=1`, until it ends or `stopped`. Throws UserError. */
export async function readWorkload(path: string, take: TakeRecords, stopped: () => boolean): Promise<Read> {
  const spec = path.slice(WORKLOAD.length);
  const about: HmtAbout = { program: `workload ${spec}`, modules: [], threads: new Map() };
  try {
    const workload = openWorkload(spec);
    let accesses = 0;
    const eventOf = (kind: number, id: number): HmtEvent => bareEvent(kind, workload.kernels[id]);
    const turn = makeTurn();
    nameRanges(workload.ranges, take, about);
    let records: BigUint64Array = new BigUint64Array();
    for (records of workload.blocks()) {
      take(records, eventOf, about);
      accesses += records.length / 2;
      await turn();
      if (stopped()) break;
    }
    // Each kernel has two marks; one that was stopped has no end yet.
    const open = records.length > 0 && (records[records.length - 1] & 255n) !== KERNEL_END;
    accesses -= 2 * workload.kernels.length - (open ? 1 : 0);
    return { partial: stopped() ? STOPPED : null, accesses, lost: 0 };
  } catch (error) {
    throw error instanceof WorkloadError ? new UserError(error.message) : error;
  }
}

/** Returns a function that lets other work have its turn, if enough time has passed. */
function makeTurn(): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < TURN) return;
    await new Promise((resolve) => setImmediate(resolve));
    last = performance.now();
  };
}

const NO_ABOUT: HmtAbout = { program: "", modules: [], threads: new Map() };

/** How a trace is read. */
export interface ReadOptions {
  /** The value of `--format`; null: the file's first bytes tell. */
  format: string | null;
  /** Whether instructions give records. */
  instructions: boolean;
}

/** Reads a trace until it ends or is stopped. Throws UserError. */
export async function readTrace(
  text: TextModule,
  input: TraceInput,
  { format, instructions }: ReadOptions,
  take: TakeRecords,
  progress: Progress,
): Promise<Read> {
  let lines = (): number => 0;
  const found = await recognizeTrace(
    input.chunks(() => lines()),
    format,
  );
  const { decoder, chunks } = await makeDecoder(text, found, input.name, instructions);
  lines = () => decoder.stats().lines;
  try {
    const partial = await readAll(decoder, chunks, input, take, progress);
    const { accesses } = decoder.stats();
    if (accesses === 0 && !input.stopped) throw new UserError(`${input.name}: no access in this trace`);
    const lost = decoder instanceof HmtFormat ? (decoder.about().lost ?? 0) : 0;
    return { partial, accesses, lost };
  } finally {
    decoder.close();
  }
}

async function readAll(
  decoder: TraceDecoder,
  chunks: AsyncIterable<Uint8Array>,
  input: TraceInput,
  take: TakeRecords,
  progress: Progress,
): Promise<string | null> {
  const use = ({ records, events, kernels }: DecodedBlock): void => {
    const eventOf = (kind: number, id: number): HmtEvent =>
      events?.[id] ?? bareEvent(kind, kernels?.[id] ?? "");
    take(records, eventOf, decoder instanceof HmtFormat ? decoder.about() : NO_ABOUT);
  };
  const turn = makeTurn();
  try {
    for await (const chunk of chunks) {
      for (const block of decoder.blocks(chunk)) {
        use(block);
        await turn();
        if (input.stopped) return STOPPED;
      }
      progress.update(decoder.stats().lines);
    }
    return input.stopped ? STOPPED : decoder.finish((_, block) => use(block));
  } catch (error) {
    const some = decoder.stats().accesses > 0;
    if (error instanceof DamagedError && some) return error.reason;
    const end = some ? endOf(error) : null;
    if (end !== null) return end;
    throw asUserError(error);
  }
}
