/** Makes .hmt files (docs/hmt.md) from payloads, for tests. */
import { xxh32 } from "./hmt.ts";

export interface BlockOptions {
  thread?: number;
  records?: number;
  codec?: number;
  /** Size of the uncompressed payload, if the payload is compressed. */
  plain?: number;
}

/** Makes a block with a valid header. */
export function block(type: number, payload: Uint8Array, options: BlockOptions = {}): Uint8Array {
  const { thread = 0, records = 0, codec = 0, plain = payload.length } = options;
  const bytes = new Uint8Array(24 + payload.length);
  const view = new DataView(bytes.buffer);
  bytes.set(payload, 24);
  bytes.set([type, codec, thread & 255, thread >> 8], 8);
  view.setUint32(0, 0x42544d48, true);
  view.setUint32(12, payload.length, true);
  view.setUint32(16, plain, true);
  view.setUint32(20, records, true);
  view.setUint32(4, xxh32(bytes.subarray(8)), true);
  return bytes;
}

/** Makes a file of these blocks. */
export function hmtFile(...blocks: Uint8Array[]): Uint8Array {
  return Buffer.concat([
    Uint8Array.of(0x89, 0x48, 0x4d, 0x54, 0x0d, 0x0a, 0x1a, 0x0a, 1, 0, 0, 0, 0, 0, 0, 0),
    ...blocks,
  ]);
}
