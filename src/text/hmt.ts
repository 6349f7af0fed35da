/**
 * Decoding of .hmt traces (docs/hmt.md), chunk by chunk: blocks are found, checked and decompressed here, and
 * decoded in the text module (assembly/text/hmt.ts).
 */
import { CODEC, HmtPayloads } from "./hmt-payload.ts";
import type { TextModule } from "./index.ts";

/** The first bytes of an .hmt file. */
const HMT_MAGIC = Uint8Array.of(0x89, 0x48, 0x4d, 0x54, 0x0d, 0x0a, 0x1a, 0x0a);

/** Version 2 added the codec "split". */
const VERSION = 2;
const FILE_HEADER = 16;
const BLOCK_HEADER = 24;
const MARK = 0x42544d48; // "HMTB"
const PAYLOAD_MAX = 1 << 21;
const RECORDS_MAX = 1 << 16;
const BLOCK = { definitions: 1, records: 2, end: 3, mixed: 4, skippedFrom: 128 };
const DEFINITION = { program: 1, recorder: 2, module: 3, name: 4, thread: 5 };
const END_BYTES = 32;
const EVENT_BYTES = 24;

/** A trace that breaks a rule of docs/hmt.md. */
export class HmtFormatError extends Error {
  override readonly name = "HmtFormatError";
  /** The byte where the block with the fault begins. */
  readonly offset: number;
  readonly reason: string;

  constructor(offset: number, reason: string, file = "trace") {
    super(`${file}: byte ${offset}: ${reason}`);
    this.offset = offset;
    this.reason = reason;
  }
}

/** A mark in the trace; docs/hmt.md says which fields a kind uses. */
export interface HmtEvent {
  kind: number;
  advice: number;
  /** 65,535: the CPU, or none. */
  device: number;
  /** The event's name, "" if it has none. */
  name: string;
  address: number;
  bytes: number;
}

/** A module of the program: its code is from `code` on in the code space, from `link` on in its file. */
export interface HmtModule {
  code: number;
  bytes: number;
  address: number;
  link: number;
  path: string;
}

/**
 * A decoded block. Its arrays are views of the text module's memory: they are valid until the next block is
 * decoded.
 */
export interface HmtBlock {
  /** The thread of all records; null in a block of several threads. */
  thread: number | null;
  /** Two words a record (assembly/abi/record.ts); an event's id is its index in `events`. */
  readonly records: BigUint64Array;
  readonly events: HmtEvent[];
}

/** What the trace says about itself, as far as it has been decoded. */
export interface HmtStats {
  program: string;
  recorder: string;
  modules: HmtModule[];
  /** For each thread, the thread that started it; 65,535 if that is not known. */
  threads: Map<number, number>;
  /** Blocks with records. */
  blocks: number;
  /** Records that are accesses. */
  accesses: number;
  /** Accesses that the recorder lost; null in a trace that was cut off. */
  lost: number | null;
  /** Whether the end block is missing: the trace was cut off, and all of its whole blocks were decoded. */
  cut: boolean;
}

/** Whether these first bytes of a file are those of an .hmt trace. */
export function isHmt(head: Uint8Array): boolean {
  return head.length >= HMT_MAGIC.length && HMT_MAGIC.every((byte, i) => head[i] === byte);
}

/**
 * Decodes one trace. `feed` takes its bytes in chunks of any size, split anywhere; `end` closes the decoder
 * and returns what the trace says about itself. A file that is not as docs/hmt.md says throws an
 * HmtFormatError; the decoder is of no more use then.
 */
export class HmtDecoder {
  readonly #text: TextModule;
  readonly #handle: number;
  readonly #file?: string;
  readonly #payloads: HmtPayloads;
  readonly #names = new Map<number, string>();
  readonly #stats: HmtStats = {
    program: "",
    recorder: "",
    modules: [],
    threads: new Map(),
    blocks: 0,
    accesses: 0,
    lost: null,
    cut: true,
  };
  /** Where the block begins that is being collected, what of it is there, and how much of it is asked for. */
  #offset = 0;
  #have = 0;
  #need = FILE_HEADER;
  #closed = false;

  private constructor(text: TextModule, payloads: HmtPayloads, file?: string) {
    this.#text = text;
    this.#payloads = payloads;
    this.#file = file;
    this.#handle = text.hmtOpen();
  }

  /** A decoder in the text module. `file` is what errors call the trace. */
  static async create(text: TextModule, file?: string): Promise<HmtDecoder> {
    return new HmtDecoder(text, await HmtPayloads.create(text), file);
  }

  /** Decodes `bytes` and hands each block that they complete to `use`. */
  feed(bytes: Uint8Array, use: (block: HmtBlock) => void): void {
    for (const block of this.blocks(bytes)) use(block);
  }

  /** Decodes `bytes` and yields each block that they complete; it is valid until the next is asked for. */
  *blocks(bytes: Uint8Array): Generator<HmtBlock, void, void> {
    if (this.#closed) throw new TypeError("the decoder is closed");
    for (let at = 0; at < bytes.length;) {
      if (!this.#stats.cut) this.#fail("bytes after the end block");
      const n = Math.min(this.#need - this.#have, bytes.length - at);
      this.#stored(this.#have, n).set(bytes.subarray(at, at + n));
      this.#have += n;
      at += n;
      if (this.#have !== this.#need) continue;
      const block = this.#advance();
      if (block !== null) yield block;
    }
  }

  /** Says that there are no more bytes. What is there of a block that is not whole is left out. */
  finish(): HmtStats {
    if (this.#offset === 0) this.#fail("not an .hmt trace: it is shorter than 16 bytes");
    return this.stats();
  }

  /** Does what `finish` does, and closes. */
  end(): HmtStats {
    const stats = this.finish();
    this.close();
    return stats;
  }

  /** What the trace says about itself so far. */
  stats(): HmtStats {
    if (this.#closed) throw new TypeError("the decoder is closed");
    return { ...this.#stats };
  }

  /** Frees the decoder's memory. `end` does it, too. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#text.hmtClose(this.#handle);
    this.#text.__collect();
  }

  #fail(reason: string): never {
    throw new HmtFormatError(this.#offset, reason, this.#file);
  }

  /** A part of the block as it is stored. */
  #stored(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#text.memory.buffer, this.#text.hmtStored(this.#handle) + at, length);
  }

  #view(): DataView {
    return new DataView(this.#text.memory.buffer, this.#text.hmtStored(this.#handle), this.#have);
  }

  /**
   * What was asked for is there: the file's header, a block's header, or a block. Returns a block with
   * records, else null.
   */
  #advance(): HmtBlock | null {
    let block: HmtBlock | null = null;
    if (this.#offset === 0) {
      this.#openFile();
    } else if (this.#need === BLOCK_HEADER) {
      this.#openBlock();
      if (this.#need > BLOCK_HEADER) return null; // its payload is to come
    }
    if (this.#offset !== 0) block = this.#closeBlock();
    this.#offset += this.#need;
    this.#have = 0;
    this.#need = BLOCK_HEADER;
    return block;
  }

  #openFile(): void {
    if (!isHmt(this.#stored(0, FILE_HEADER))) this.#fail("not an .hmt trace");
    const version = this.#view().getUint32(8, true);
    if (version < 1 || version > VERSION)
      this.#fail(`version ${version} of the format; this program reads versions 1 to ${VERSION}`);
  }

  #openBlock(): void {
    const view = this.#view();
    if (view.getUint32(0, true) !== MARK) this.#fail("expected a block");
    const [stored, plain, records] = [12, 16, 20].map((at) => view.getUint32(at, true));
    if (stored > PAYLOAD_MAX || plain > PAYLOAD_MAX)
      this.#fail(`a block of ${Math.max(stored, plain)} bytes; ${PAYLOAD_MAX} are allowed`);
    if (records > RECORDS_MAX) this.#fail(`a block of ${records} records; ${RECORDS_MAX} are allowed`);
    this.#need = BLOCK_HEADER + stored;
  }

  #closeBlock(): HmtBlock | null {
    const view = this.#view();
    const stored = view.getUint32(12, true);
    if (!this.#text.hmtChecks(this.#handle, stored))
      this.#fail("the block's checksum is wrong: it is damaged");
    const [type, codec, thread] = [view.getUint8(8), view.getUint8(9), view.getUint16(10, true)];
    const [plain, records] = [view.getUint32(16, true), view.getUint32(20, true)];
    if (type >= BLOCK.skippedFrom) return null;
    if (codec === CODEC.split && type !== BLOCK.records && type !== BLOCK.mixed)
      this.#fail(`a payload in codec ${codec}, which a block of type ${type} does not have`);
    const payload = this.#payloads.plain(this.#handle, { codec, stored, plain });
    if (typeof payload === "string") this.#fail(payload);
    const packed = codec !== CODEC.plain;
    if (type === BLOCK.records) return this.#decode(packed, plain, records, thread);
    if (type === BLOCK.mixed) return this.#decode(packed, plain, records, null);
    if (type === BLOCK.definitions) this.#define(payload);
    else if (type === BLOCK.end) this.#finish(payload);
    else this.#fail(`a block of type ${type}, which is not known`);
    return null;
  }

  #decode(packed: boolean, plain: number, count: number, thread: number | null): HmtBlock {
    const [text, handle] = [this.#text, this.#handle];
    const decoded = text.hmtDecode(handle, packed, plain, count, thread ?? -1);
    if (decoded < 0) this.#fail(text.hmtError(handle));
    this.#stats.blocks++;
    this.#stats.accesses += count - text.hmtEventCount(handle);
    return {
      thread,
      records: new BigUint64Array(text.memory.buffer, text.hmtOutput(handle), 2 * count),
      events: this.#events(),
    };
  }

  #events(): HmtEvent[] {
    const count = this.#text.hmtEventCount(this.#handle);
    if (count === 0) return [];
    const at = this.#text.hmtEvents(this.#handle);
    const view = new DataView(this.#text.memory.buffer, at, count * EVENT_BYTES);
    return Array.from({ length: count }, (_, i) => ({
      kind: view.getUint8(i * EVENT_BYTES),
      advice: view.getUint8(i * EVENT_BYTES + 1),
      device: view.getUint16(i * EVENT_BYTES + 2, true),
      name: this.#names.get(view.getUint32(i * EVENT_BYTES + 4, true)) ?? "",
      address: Number(BigInt.asUintN(48, view.getBigUint64(i * EVENT_BYTES + 8, true))),
      bytes: Number(view.getBigUint64(i * EVENT_BYTES + 16, true)),
    }));
  }

  #define(payload: DataView): void {
    for (let at = 0; at < payload.byteLength;) {
      if (at + 4 > payload.byteLength) this.#fail("a definition without its length");
      const [tag, length] = [payload.getUint16(at, true), payload.getUint16(at + 2, true)];
      at += 4;
      if (at + length > payload.byteLength) this.#fail("a definition that is longer than its block");
      this.#take(tag, new DataView(payload.buffer, payload.byteOffset + at, length));
      at += length;
    }
  }

  #take(tag: number, content: DataView): void {
    const head = { [DEFINITION.module]: 24, [DEFINITION.name]: 4, [DEFINITION.thread]: 4 }[tag] ?? 0;
    if (content.byteLength < head) this.#fail(`a definition with tag ${tag} of ${content.byteLength} bytes`);
    const text = (): string =>
      new TextDecoder().decode(
        new Uint8Array(content.buffer, content.byteOffset + head, content.byteLength - head),
      );
    if (tag === DEFINITION.program) this.#stats.program = text();
    else if (tag === DEFINITION.recorder) this.#stats.recorder = text();
    else if (tag === DEFINITION.name) this.#names.set(content.getUint32(0, true), text());
    else if (tag === DEFINITION.thread)
      this.#stats.threads.set(content.getUint16(0, true), content.getUint16(2, true));
    else if (tag === DEFINITION.module)
      this.#stats.modules.push({
        code: content.getUint32(0, true),
        bytes: content.getUint32(4, true),
        address: Number(content.getBigUint64(8, true)),
        link: Number(content.getBigUint64(16, true)),
        path: text(),
      });
  }

  #finish(payload: DataView): void {
    if (payload.byteLength < END_BYTES) this.#fail(`an end block of ${payload.byteLength} bytes`);
    this.#stats.lost = Number(payload.getBigUint64(16, true));
    this.#stats.cut = false;
  }
}
