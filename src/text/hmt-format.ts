/** The decoder of .hmt traces (hmt.ts) with the interface that all decoders have (decoder.ts). */
import { TraceDecoder, type DecodedBlock, type DecoderStats } from "./decoder.ts";
import { HmtDecoder, type HmtStats } from "./hmt.ts";
import type { TextModule } from "./index.ts";

export class HmtFormat extends TraceDecoder {
  readonly #decoder: HmtDecoder;

  private constructor(decoder: HmtDecoder) {
    super();
    this.#decoder = decoder;
  }

  static async create(text: TextModule, file?: string): Promise<HmtFormat> {
    return new HmtFormat(await HmtDecoder.create(text, file));
  }

  *blocks(bytes: Uint8Array): Generator<DecodedBlock, void, void> {
    yield* this.#decoder.blocks(bytes);
  }

  // eslint-disable-next-line require-yield
  *rest(): Generator<DecodedBlock, string | null, void> {
    const { blocks, cut } = this.#decoder.finish();
    return cut ? `it is cut off after ${blocks} whole block${blocks === 1 ? "" : "s"}` : null;
  }

  stats(): DecoderStats {
    const { blocks, accesses } = this.#decoder.stats();
    const counts = {
      loads: null,
      stores: null,
      modifies: null,
      kernelSkipped: 0,
      instructions: 0,
      skipped: 0,
    };
    return { lines: blocks, accesses, ...counts };
  }

  /** What the trace says about itself, as far as it has been decoded. */
  about(): HmtStats {
    return this.#decoder.stats();
  }

  close(): void {
    this.#decoder.close();
  }
}
