/** The compressor of .hmt blocks: zstd as a WebAssembly module, which is loaded when the first is asked for. */

/** Compresses bytes to a zstd frame. */
export type Compress = (bytes: Uint8Array) => Uint8Array;

/** The level of zstd's command, and of the recorder. */
const LEVEL = 3;

export async function loadCompress(): Promise<Compress> {
  const { init, compress } = await import("@bokuweb/zstd-wasm");
  await init();
  return (bytes) => compress(bytes, LEVEL);
}
