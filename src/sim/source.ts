/** Where records come from: decoders of traces, generators of workloads, or a user's own. */

/** What a mark in the records is about, at the mark's id in the block's events. */
export interface TraceEvent {
  /** The kernel's or range's name. */
  readonly name: string;
  /** Of a range: its first byte, and its length. */
  readonly address: number;
  readonly bytes: number;
  /** Of advice: its CUDA number, and the device that it is about; 65,535 is the CPU. */
  readonly advice?: number;
  readonly device?: number;
}

/** Records, and what their marks are about. */
export interface RecordBlock {
  /** Two words a record, as docs/guide/simulating.md draws them. */
  readonly records: BigUint64Array;
  /** What marks are about, by their ids. */
  readonly events?: readonly TraceEvent[] | undefined;
  /** The names of kernels, by the ids of the marks where they begin; `events` comes first. */
  readonly kernels?: readonly string[] | undefined;
}

/** One block of records, which is used until the next one is asked for, and not kept. */
export type Block = BigUint64Array | RecordBlock;

/** Blocks of records. */
export type Blocks = Iterable<Block> | AsyncIterable<Block>;

/** A source of records that names ranges and kernels, such as a workload. */
export interface RecordSource {
  blocks(): Blocks;
  /** Ranges of its data, whose accesses, faults and moves are counted by name. */
  readonly ranges?: readonly { readonly name: string; readonly start: number; readonly bytes: number }[];
  /** The names of kernels so far, by the ids of the marks where they begin. */
  readonly kernels?: readonly string[];
}

/** Returns a block as an object. Throws TypeError for anything else than a block. */
export function blockOf(block: Block): RecordBlock {
  const whole = block instanceof BigUint64Array ? { records: block } : block;
  if (!(whole?.records instanceof BigUint64Array) || whole.records.length % 2 !== 0)
    throw new TypeError(
      "block: expected a BigUint64Array of two words a record, or an object with `records`",
    );
  return whole;
}
