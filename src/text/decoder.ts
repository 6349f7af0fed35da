/** What all decoders of traces have in common: their interface, their counts, and their error. */
import type { HmtEvent } from "./hmt.ts";

/**
 * Records that were decoded. They are a view of a module's memory, valid until the next block is asked for.
 */
export interface DecodedBlock {
  /** Two words a record (assembly/abi/record.ts). */
  readonly records: BigUint64Array;
  /** What marks among the records are about, by their ids; .hmt traces have it. */
  readonly events?: readonly HmtEvent[];
  /** The names of kernels, by the ids of the marks where they begin; NVBit's traces have it. */
  readonly kernels?: readonly string[];
}

/** What a decoder has counted so far. */
export interface DecoderStats {
  /** Lines of text; instructions of ChampSim; blocks of .hmt. */
  lines: number;
  /** Accesses that gave a record: the sum of loads, stores and modifies. */
  accesses: number;
  /** Accesses by kind; null where the format's decoder does not count them. */
  loads: number | null;
  stores: number | null;
  modifies: number | null;
  /** Accesses at 2^47 and above, which give no record. */
  kernelSkipped: number;
  /** Instructions, which give no record of their own. */
  instructions: number;
  /** Lines that are about something else: comments, headers, other events. */
  skipped: number;
}

/**
 * Decodes one trace. `blocks` takes its bytes in chunks of any length, split anywhere, and `rest` says that
 * there are no more; `feed` and `finish` are the same for callers that take records by a function. All throw
 * an error that names the line or the byte if the trace is wrong there, after the records of all that comes
 * before. After an error, only `stats` and `close` are of use.
 */
export abstract class TraceDecoder {
  /** Decodes `bytes`. All of its blocks must be asked for. */
  abstract blocks(bytes: Uint8Array): Generator<DecodedBlock, void, void>;

  /** Decodes a last line without a newline. Returns why the trace is not whole, or null if it is. */
  abstract rest(): Generator<DecodedBlock, string | null, void>;

  abstract stats(): DecoderStats;

  /** Frees the decoder's memory. Idempotent. */
  abstract close(): void;

  /** Decodes `bytes` and hands each block to `use`. */
  feed(bytes: Uint8Array, use: (records: BigUint64Array, block: DecodedBlock) => void): void {
    for (const block of this.blocks(bytes)) use(block.records, block);
  }

  /** Does what `rest` does, and hands each block to `use`. */
  finish(use: (records: BigUint64Array, block: DecodedBlock) => void): string | null {
    const rest = this.rest();
    for (;;) {
      const next = rest.next();
      if (next.done === true) return next.value;
      use(next.value.records, next.value);
    }
  }
}

/** What is wrong with a trace, in one word; `nul` means that the file was not written to its end. */
export type DecodeErrorKind =
  "line" | "address" | "size" | "long" | "nul" | "vector" | "no-data" | "champsim";

/**
 * A place of a trace that cannot be decoded: the message is "file:line: reason" or "file: byte N: reason".
 */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
  readonly kind: DecodeErrorKind;
  /** The line's number, counted from 1; null in a binary trace. */
  readonly line: number | null;
  /** The byte where the wrong record of a binary trace begins; null in a text. */
  readonly offset: number | null;
  readonly reason: string;

  constructor(
    kind: DecodeErrorKind,
    where: { file: string; line: number } | { file: string; offset: number },
    reason: string,
  ) {
    const place = "line" in where ? `${where.file}:${where.line}` : `${where.file}: byte ${where.offset}`;
    super(`${place}: ${reason}`);
    this.kind = kind;
    this.line = "line" in where ? where.line : null;
    this.offset = "offset" in where ? where.offset : null;
    this.reason = reason;
  }
}
