/** Decoders of traces as sources of records. Bytes come in chunks of any size, split anywhere. */
import { HmtDecoder, type HmtBlock, type HmtStats } from "../text/hmt.ts";
import { loadText } from "../text/index.ts";
import { LackeyDecoder, type LackeyOptions, type LackeyStats } from "../text/lackey.ts";
import { accessesAmong, lineOfRecord } from "../text/locate.ts";
import type { RecordSource } from "./source.ts";

/** The bytes of a trace, decompressed, in chunks; a chunk is used until the next one is asked for. */
export type Bytes = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

const LINE_FEED = 0x0a;

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * A trace of valgrind's lackey. Its blocks can be asked for once. A line that cannot be decoded throws
 * TraceError, after the records before it.
 */
export class LackeyTrace implements RecordSource {
  readonly #bytes: Bytes;
  readonly #options: LackeyOptions;
  readonly #decoder: LackeyDecoder;
  #last: LackeyStats | undefined;
  /** The block that was asked for last, while it is valid. */
  #block: BigUint64Array = new BigUint64Array();
  /** The incomplete line before the current chunk, the chunk, and what was decoded before both. */
  #tail = new Uint8Array();
  #chunk = new Uint8Array();
  #before = { lines: 0, currentPid: 0, accesses: 0 };

  constructor(bytes: Bytes, options: LackeyOptions) {
    this.#bytes = bytes;
    this.#options = options;
    this.#decoder = new LackeyDecoder(loadText(), options);
  }

  /** What was decoded so far. */
  get stats(): LackeyStats {
    return this.#last ?? this.#decoder.stats();
  }

  /** Whether all bytes are decoded but for a last line without a newline. */
  get finishing(): boolean {
    return this.#decoder.finishing;
  }

  /** The number of the line, counted from 1, that gave the record with this index in the last block. */
  lineOf(index: number): number {
    if (this.finishing) return this.stats.lines;
    const { lines, currentPid, accesses } = this.#before;
    const text = joined(this.#tail, this.#chunk);
    return lineOfRecord(
      text,
      accesses + this.#accessesAmong(this.#block, index),
      { ...this.#options, currentPid },
      lines + 1,
    );
  }

  async *blocks(): AsyncGenerator<BigUint64Array, void, void> {
    const decoder = this.#decoder;
    try {
      for await (const chunk of this.#bytes) {
        const { lines, currentPid } = decoder.stats();
        this.#before = { lines, currentPid, accesses: 0 };
        this.#chunk = chunk as Uint8Array<ArrayBuffer>;
        for (const records of decoder.blocks(chunk)) {
          this.#block = records;
          yield records;
          this.#before.accesses += this.#accessesAmong(records, records.length / 2);
        }
        this.#keepTail(chunk);
      }
      const rest: BigUint64Array[] = [];
      decoder.finish((records) => rest.push(records.slice()));
      yield* rest;
    } finally {
      this.#last = decoder.stats();
      decoder.close();
    }
  }

  /** How many of the first `n` records are accesses. */
  #accessesAmong(records: BigUint64Array, n: number): number {
    return this.#options.instructions === true ? accessesAmong(records, n) : n;
  }

  #keepTail(chunk: Uint8Array): void {
    const end = chunk.lastIndexOf(LINE_FEED);
    // A copy: slice() of Node's Buffer would be a view of the chunk.
    this.#tail = end < 0 ? joined(this.#tail, chunk) : joined(chunk.subarray(end + 1));
  }
}

/**
 * An .hmt trace (docs/hmt.md). Its blocks can be asked for once. A file that is damaged throws
 * HmtFormatError, after its whole blocks before.
 */
export class HmtTrace implements RecordSource {
  readonly #bytes: Bytes;
  readonly #file: string | undefined;
  #stats: HmtStats | undefined;

  constructor(bytes: Bytes, file?: string) {
    this.#bytes = bytes;
    this.#file = file;
  }

  /** What the trace says about itself; undefined before its first block. */
  get stats(): HmtStats | undefined {
    return this.#stats;
  }

  async *blocks(): AsyncGenerator<HmtBlock, void, void> {
    const decoder = await HmtDecoder.create(loadText(), this.#file);
    try {
      for await (const chunk of this.#bytes) {
        for (const block of decoder.blocks(chunk)) {
          this.#stats = decoder.stats();
          yield block;
        }
      }
      this.#stats = decoder.end();
    } finally {
      decoder.close();
    }
  }
}

/**
 * Decodes the output of `valgrind --tool=lackey --trace-mem=yes`. The options name the code that runs on the
 * device. Throws RangeError for offload ranges that are empty or overlap.
 */
export function decodeLackey(bytes: Bytes, options: LackeyOptions = {}): LackeyTrace {
  return new LackeyTrace(bytes, options);
}

/** Decodes an .hmt trace of the recorder. `file` is what errors call the trace. */
export function decodeHmt(bytes: Bytes, options: { file?: string | undefined } = {}): HmtTrace {
  return new HmtTrace(bytes, options.file);
}
