/** Unpacks the payloads of .hmt blocks in the text module's memory (docs/hmt.md, "The file"). */
import type { ZSTDDecoder } from "zstddec";
import type { TextModule } from "./index.ts";

/** How a payload is stored. */
export const CODEC = { plain: 0, zstd: 1, split: 2 };
const BLOCK_HEADER = 24;
/** Bytes before the two parts of a payload that is split. */
const SPLIT_HEADER = 8;
/** In the length of the front as stored: the tails are stored as they are. */
export const TAILS_PLAIN = 0x80000000;

/** Loaded when the first decoder is made; it has no state of its own. */
let zstd: Promise<ZSTDDecoder> | undefined;

async function loadZstd(): Promise<ZSTDDecoder> {
  const { ZSTDDecoder } = await import("zstddec");
  const decoder = new ZSTDDecoder();
  await decoder.init();
  return decoder;
}

/** What a header says of its payload: its codec, and how many bytes it has as stored and when plain. */
export interface PayloadHeader {
  codec: number;
  stored: number;
  plain: number;
}

/** Unpacks payloads. Its methods return what is wrong with a payload as text. */
export class HmtPayloads {
  readonly #text: TextModule;
  readonly #zstd: ZSTDDecoder;

  private constructor(text: TextModule, zstd: ZSTDDecoder) {
    this.#text = text;
    this.#zstd = zstd;
  }

  static async create(text: TextModule): Promise<HmtPayloads> {
    return new HmtPayloads(text, await (zstd ??= loadZstd()));
  }

  /** Returns the plain payload of the block that decoder `handle` has stored, or what is wrong with it. */
  plain(handle: number, { codec, stored, plain }: PayloadHeader): DataView | string {
    const { memory } = this.#text;
    const at = this.#text.hmtStored(handle) + BLOCK_HEADER;
    if (codec === CODEC.plain) {
      if (stored !== plain) return `a plain payload of ${stored} bytes that says it has ${plain}`;
      return new DataView(memory.buffer, at, plain);
    }
    const bytes = new Uint8Array(memory.buffer, at, stored);
    const to = this.#text.hmtPlain(handle);
    let wrong: string | null = `a payload in codec ${codec}, which is not known`;
    if (codec === CODEC.split) wrong = this.#join(handle, bytes, plain);
    else if (codec === CODEC.zstd) wrong = this.#unpack(bytes, plain, to);
    return wrong ?? new DataView(memory.buffer, to, plain);
  }

  /** Unpacks the two parts of a payload, and joins them to it. */
  #join(handle: number, bytes: Uint8Array, plain: number): string | null {
    if (bytes.length < SPLIT_HEADER) return `a split payload of ${bytes.length} bytes`;
    const view = new DataView(bytes.buffer, bytes.byteOffset, SPLIT_HEADER);
    const [front, second] = [view.getUint32(0, true), view.getUint32(4, true)];
    const end = SPLIT_HEADER + (second % TAILS_PLAIN);
    if (front > plain || end > bytes.length) return "the front is larger than its payload";
    const parts = this.#text.hmtParts(handle);
    const tails = bytes.subarray(end);
    const wrong =
      this.#unpack(bytes.subarray(SPLIT_HEADER, end), front, parts) ??
      (second < TAILS_PLAIN
        ? this.#unpack(tails, plain - front, parts + front)
        : this.#copy(tails, plain - front, parts + front));
    if (wrong !== null) return wrong;
    return this.#text.hmtJoin(handle, front, plain) ? null : "the parts are not those of a payload";
  }

  /** Copies tails of `plain` bytes to an address in the module's memory. */
  #copy(tails: Uint8Array, plain: number, to: number): string | null {
    if (tails.length !== plain || plain === 0)
      return `tails of ${tails.length} bytes that should have ${plain}`;
    new Uint8Array(this.#text.memory.buffer, to, plain).set(tails);
    return null;
  }

  /** Unpacks a frame of `plain` bytes to an address in the module's memory. */
  #unpack(packed: Uint8Array, plain: number, to: number): string | null {
    let unpacked: Uint8Array | null = null;
    // The library would believe what the frame says.
    if (plain === 0) return "a packed payload of 0 bytes";
    try {
      unpacked = this.#zstd.decode(packed, plain);
    } catch {
      // Damaged in a way that its checksum does not show: the length says so below.
    }
    if (unpacked?.length !== plain) return `the payload is not a zstd frame of ${plain} bytes`;
    new Uint8Array(this.#text.memory.buffer, to, plain).set(unpacked);
    return null;
  }
}
