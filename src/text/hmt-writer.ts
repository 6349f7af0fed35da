/**
 * Writes .hmt traces (docs/hmt.md): records are encoded in the text module (assembly/text/hmt-write.ts),
 * block by block, and handed on as bytes. Whoever makes the writer compresses.
 */
import type { HmtEvent, HmtStats } from "./hmt.ts";
import { CODEC, TAILS_PLAIN } from "./hmt-payload.ts";
import type { TextModule } from "./index.ts";

const MAGIC = Uint8Array.of(0x89, 0x48, 0x4d, 0x54, 0x0d, 0x0a, 0x1a, 0x0a, 2, 0, 0, 0, 0, 0, 0, 0);
const MARK = 0x42544d48; // "HMTB"
const BLOCK_HEADER = 24;
const RECORDS_MAX = 1 << 16;
const EVENT_BYTES = 24;
const END_BYTES = 32;
const BLOCK = { definitions: 1, records: 2, end: 3, mixed: 4 };
const DEFINITION = { program: 1, recorder: 2, module: 3, name: 4, thread: 5 };
/** The longest text of a definition. A longer one is cut: a path or a command has no such length. */
const TEXT_MAX = 32768;
/** Bytes of definitions that a block has, so that it stays within its bounds. */
const DEFINITIONS_MAX = 1 << 20;

/** Where a payload of records says how many bytes its literals have. */
const LITERALS_AT = 20;
/** Tails that keep more than this share of their bytes when packed are stored as they are. */
const NOISE = 0.95;
/** Bytes before the two parts of a payload that is split. */
const SPLIT_HEADER = 8;

/** Compresses bytes to a zstd frame. */
type Compress = (payload: Uint8Array) => Uint8Array;

/** A payload as it is stored; what is plain is where it was. */
interface Packed {
  codec: number;
  bytes: Uint8Array;
}

/** How to write. */
export interface HmtWriterOptions {
  /** What writes the file, as its header says. */
  recorder: string;
  /** Compresses a payload. Without it, blocks are plain. */
  compress?: Compress;
}

/** What a trace says about itself, besides its records. */
export type HmtAbout = Pick<HmtStats, "program" | "modules" | "threads">;

/** The event that a mark among the records stands for; `id` is the mark's. */
export type EventOf = (kind: number, id: number) => HmtEvent;

/**
 * Writes one trace. Bytes go to `sink`, which must not keep them: they are a view of the text module's
 * memory.
 */
export class HmtWriter {
  readonly #text: TextModule;
  readonly #handle: number;
  readonly #sink: (bytes: Uint8Array) => void;
  readonly #options: HmtWriterOptions;
  readonly #names = new Map<string, number>();
  /** Definitions that are to be written before the next block. */
  #definitions: Uint8Array[] = [];
  #defined = { program: false, modules: 0, threads: new Set<number>() };
  #accesses = 0;
  #events = 0;
  #bytes = 0;
  #closed = false;

  constructor(text: TextModule, sink: (bytes: Uint8Array) => void, options: HmtWriterOptions) {
    this.#text = text;
    this.#handle = text.hmtWriteOpen();
    this.#sink = sink;
    this.#options = options;
    this.#put(MAGIC);
    this.#define(DEFINITION.recorder, [], options.recorder);
  }

  /** Bytes that were written so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds what is new of what the trace says about itself. It stands before the next records' block. */
  describe({ program, modules, threads }: HmtAbout): void {
    if (!this.#defined.program && program !== "") {
      this.#define(DEFINITION.program, [], program);
      this.#defined.program = true;
    }
    for (const { code, bytes, address, link, path } of modules.slice(this.#defined.modules)) {
      const head = [code, bytes].flatMap((value) => bytesOf(value, 4));
      this.#define(DEFINITION.module, [...head, ...bytesOf(address, 8), ...bytesOf(link, 8)], path);
    }
    this.#defined.modules = modules.length;
    for (const [thread, parent] of threads) {
      if (this.#defined.threads.has(thread)) continue;
      this.#defined.threads.add(thread);
      this.#define(DEFINITION.thread, [...bytesOf(thread, 2), ...bytesOf(parent, 2)], "");
    }
  }

  /** Writes records of two words each. `eventOf` says what marks among them stand for. */
  write(records: BigUint64Array, eventOf: EventOf): void {
    const [text, handle] = [this.#text, this.#handle];
    for (let at = 0; at < records.length;) {
      const have = text.hmtWriteCount(handle);
      const added = Math.min(records.length - at, 2 * (RECORDS_MAX - have));
      const input = text.hmtWriteInput(handle) + 16 * have;
      new BigUint64Array(text.memory.buffer, input, added).set(records.subarray(at, at + added));
      const events = text.hmtWriteEventCount(handle);
      const taken = text.hmtWriteTake(handle, added / 2);
      this.#describeEvents(events, eventOf);
      at += 2 * taken;
      if (2 * taken < added || have + taken === RECORDS_MAX) this.#flush();
    }
  }

  /** Writes what is left, and the end block unless the trace is not whole. Closes the writer. */
  end({ whole, lost }: { whole: boolean; lost: number }): void {
    this.#flush();
    this.#writeDefinitions();
    if (whole) {
      const payload = new Uint8Array(END_BYTES);
      const view = new DataView(payload.buffer);
      view.setBigUint64(0, BigInt(this.#accesses), true);
      view.setBigUint64(8, BigInt(this.#events), true);
      view.setBigUint64(16, BigInt(lost), true);
      view.setUint32(24, this.#text.hmtWriteThreads(this.#handle), true);
      this.#block(BLOCK.end, payload);
    }
    this.close();
  }

  /** Frees the writer's memory. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#text.hmtWriteClose(this.#handle);
    this.#text.__collect();
  }

  #put(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    this.#sink(bytes);
  }

  #define(tag: number, head: readonly number[], text: string): void {
    const content = new TextEncoder().encode(text).subarray(0, TEXT_MAX);
    const length = head.length + content.length;
    this.#definitions.push(Uint8Array.from([...bytesOf(tag, 2), ...bytesOf(length, 2), ...head, ...content]));
  }

  /** The id of an event's name. */
  #nameOf(text: string): number {
    if (text === "") return 0;
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    const id = this.#names.size + 1;
    this.#names.set(text, id);
    this.#define(DEFINITION.name, bytesOf(id, 4), text);
    return id;
  }

  /** Writes what the events after the first `from` of the block stand for. */
  #describeEvents(from: number, eventOf: EventOf): void {
    const [text, handle] = [this.#text, this.#handle];
    const count = text.hmtWriteEventCount(handle);
    if (count === from) return;
    const { buffer } = text.memory;
    const marks = new Uint32Array(buffer, text.hmtWriteMarks(handle), count);
    const halves = new Uint32Array(buffer, text.hmtWriteInput(handle), 4 * RECORDS_MAX);
    const view = new DataView(buffer, text.hmtWriteEvents(handle), EVENT_BYTES * count);
    for (let i = from; i < count; i++) {
      const kind = halves[4 * marks[i] + 2] & 255;
      const event = eventOf(kind, halves[4 * marks[i] + 3]);
      view.setUint8(EVENT_BYTES * i, kind);
      view.setUint8(EVENT_BYTES * i + 1, event.advice);
      view.setUint16(EVENT_BYTES * i + 2, event.device, true);
      view.setUint32(EVENT_BYTES * i + 4, this.#nameOf(event.name), true);
      view.setBigUint64(EVENT_BYTES * i + 8, BigInt(event.address), true);
      view.setBigUint64(EVENT_BYTES * i + 16, BigInt(event.bytes), true);
    }
  }

  /** Writes the block's records, after what is to be defined before them. */
  #flush(): void {
    const [text, handle] = [this.#text, this.#handle];
    const count = text.hmtWriteCount(handle);
    if (count === 0) return;
    this.#writeDefinitions();
    const plain = text.hmtWriteEncode(handle);
    const thread = text.hmtWriteThread(handle);
    const events = text.hmtWriteEventCount(handle);
    this.#accesses += count - events;
    this.#events += events;
    const records = { thread: Math.max(thread, 0), count };
    this.#finishBlock(thread < 0 ? BLOCK.mixed : BLOCK.records, plain, records);
    text.hmtWriteNext(handle);
  }

  #writeDefinitions(): void {
    while (this.#definitions.length > 0) {
      let bytes = 0;
      let n = 0;
      while (n < this.#definitions.length && bytes < DEFINITIONS_MAX) bytes += this.#definitions[n++].length;
      const payload = new Uint8Array(bytes);
      let at = 0;
      for (const definition of this.#definitions.splice(0, n)) {
        payload.set(definition, at);
        at += definition.length;
      }
      this.#block(BLOCK.definitions, payload);
    }
  }

  /** Writes a block with this payload. */
  #block(type: number, payload: Uint8Array): void {
    const at = this.#text.hmtWriteBlock(this.#handle) + BLOCK_HEADER;
    new Uint8Array(this.#text.memory.buffer, at, payload.length).set(payload);
    this.#finishBlock(type, payload.length, { thread: 0, count: 0 });
  }

  /** Writes the block whose payload of `plain` bytes is where blocks are made. */
  #finishBlock(type: number, plain: number, { thread, count }: { thread: number; count: number }): void {
    const [text, handle] = [this.#text, this.#handle];
    const at = text.hmtWriteBlock(handle);
    const payload = new Uint8Array(text.memory.buffer, at + BLOCK_HEADER, plain);
    const { codec, bytes } = type === BLOCK.end ? PLAIN : this.#pack(payload, count);
    payload.set(bytes);
    const stored = codec === CODEC.plain ? plain : bytes.length;
    const view = new DataView(text.memory.buffer, at, BLOCK_HEADER);
    view.setUint32(0, MARK, true);
    view.setUint8(8, type);
    view.setUint8(9, codec);
    view.setUint16(10, thread, true);
    view.setUint32(12, stored, true);
    view.setUint32(16, plain, true);
    view.setUint32(20, count, true);
    view.setUint32(4, text.hmtWriteSum(handle, stored), true);
    this.#put(new Uint8Array(text.memory.buffer, at, BLOCK_HEADER + stored));
  }

  /** Packs a payload with `count` records in the codec that makes it smallest. */
  #pack(payload: Uint8Array, count: number): Packed {
    const { compress } = this.#options;
    if (compress === undefined) return PLAIN;
    const packed = compress(payload);
    const split = count === 0 ? null : this.#split(payload, count, compress);
    if (split !== null && split.length < Math.min(packed.length, payload.length))
      return { codec: CODEC.split, bytes: split };
    return packed.length < payload.length ? { codec: CODEC.zstd, bytes: packed } : PLAIN;
  }

  /** Packs the two parts of a payload whose literals are much of it; null if they are not. */
  #split(payload: Uint8Array, count: number, compress: Compress): Uint8Array | null {
    const literals = new DataView(payload.buffer, payload.byteOffset).getUint32(LITERALS_AT, true);
    if (literals < count) return null; // regular: less than a byte an access
    const split = this.#packParts(payload.length, false, compress);
    const whole = this.#packParts(payload.length, true, compress);
    // Parts with whole literals are read faster.
    return split === null || whole!.length * NOISE < split.length ? whole : split;
  }

  /** Packs the parts of the payload; the tails have `whole` literals. Null: they would have nothing. */
  #packParts(length: number, whole: boolean, compress: Compress): Uint8Array | null {
    const { memory } = this.#text;
    const front = this.#text.hmtWriteSplit(this.#handle, length, whole);
    if (front === length) return null; // all literals have one byte
    const parts = new Uint8Array(memory.buffer, this.#text.hmtWriteParts(this.#handle), length);
    const [first, tails] = [compress(parts.subarray(0, front)), parts.subarray(front)];
    const packed = compress(tails);
    const isNoise = packed.length > tails.length * NOISE;
    const rest = isNoise ? tails : packed;
    const bytes = new Uint8Array(SPLIT_HEADER + first.length + rest.length);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, front, true);
    view.setUint32(4, first.length + (isNoise ? TAILS_PLAIN : 0), true);
    bytes.set(first, SPLIT_HEADER);
    bytes.set(rest, SPLIT_HEADER + first.length);
    return bytes;
  }
}

/** A payload that is stored as it is. */
const PLAIN: Packed = { codec: CODEC.plain, bytes: new Uint8Array() };

/** A number of up to 2^53 in `count` bytes, the lowest first. */
function bytesOf(value: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.floor(value / 256 ** i) % 256);
}
