/** Snapshots of small engines, of which most bytes are zero: only the blocks that are not are kept. */

/** Bytes of a block. */
const BLOCK = 64;
const WORDS = BLOCK / 4;

/** The bytes of a snapshot, without its empty blocks. */
export interface Sparse {
  /** Bytes of the whole snapshot. */
  readonly length: number;
  /** The numbers of the blocks that are kept. */
  readonly blocks: Uint32Array;
  /** Their bytes, one after the other. */
  readonly bytes: Uint8Array;
}

/** Packs `bytes`, whose view begins at a multiple of 4 of its buffer. */
export function pack(bytes: Uint8Array): Sparse {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 4));
  const kept: number[] = [];
  const whole = Math.floor(bytes.length / BLOCK);
  for (let block = 0; block < whole; block++) {
    const end = (block + 1) * WORDS;
    let at = block * WORDS;
    while (at < end && words[at] === 0) at++;
    if (at < end) kept.push(block);
  }
  if (whole * BLOCK < bytes.length) kept.push(whole);
  const packed = new Uint8Array(kept.length * BLOCK);
  kept.forEach((block, i) => packed.set(bytes.subarray(block * BLOCK, (block + 1) * BLOCK), i * BLOCK));
  return { length: bytes.length, blocks: Uint32Array.from(kept), bytes: packed };
}

/** Returns the bytes that were packed. */
export function unpack({ length, blocks, bytes }: Sparse): Uint8Array {
  const whole = new Uint8Array(length);
  blocks.forEach((block, i) => {
    const size = Math.min(BLOCK, length - block * BLOCK);
    whole.set(bytes.subarray(i * BLOCK, i * BLOCK + size), block * BLOCK);
  });
  return whole;
}
