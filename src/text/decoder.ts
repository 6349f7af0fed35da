/** What all decoders of traces have in common: their interface, their counts, and their error. */
import type { HmtEvent } from "./hmt.ts";

/**
 * Takes records: two words each, address and size, then kind, agent, thread and id (docs/hmt.md draws them).
 * They are a view of a module's memory, valid until the function returns. `events` has what marks among the
 * records stand for: an .hmt mark's id is its index there, and other formats have none.
 */
export type UseRecords = (records: BigUint64Array, events: readonly HmtEvent[]) => void;

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
  /** Instructions, which give no record. */
  instructions: number;
  /** Lines that are about something else: comments, headers, other events. */
  skipped: number;
}

/**
 * Decodes one trace. `feed` takes its bytes in chunks of any length, split anywhere, and `finish` says that
 * there are no more. Both throw an error that names the line or the byte if the trace is wrong there; `use`
 * has then got the records of all that comes before. After an error, only `stats` and `close` are of use.
 */
export interface TraceDecoder {
  feed(bytes: Uint8Array, use: UseRecords): void;
  /** Decodes a last line without a newline. Returns why the trace is not whole, or null if it is. */
  finish(use: UseRecords): string | null;
  stats(): DecoderStats;
  /** Frees the decoder's memory. Idempotent. */
  close(): void;
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
