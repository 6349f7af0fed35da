/** The decoder of lackey traces (lackey.ts) with the interface that all decoders have (decoder.ts). */
import { TraceDecoder, type DecodedBlock, type DecoderStats } from "./decoder.ts";
import type { TextModule } from "./index.ts";
import { LackeyDecoder, TraceError, type LackeyOptions } from "./lackey.ts";

export class LackeyFormat extends TraceDecoder {
  readonly #decoder: LackeyDecoder;

  constructor(text: TextModule, options: LackeyOptions) {
    super();
    this.#decoder = new LackeyDecoder(text, options);
  }

  *blocks(bytes: Uint8Array): Generator<DecodedBlock, void, void> {
    for (const records of this.#decoder.blocks(bytes)) yield { records };
  }

  *rest(): Generator<DecodedBlock, string | null, void> {
    const last: BigUint64Array[] = [];
    try {
      this.#decoder.finish((records) => last.push(records.slice()));
    } catch (error) {
      if (!(error instanceof TraceError) || this.stats().accesses === 0) throw error;
      return `line ${error.line} is cut off`;
    }
    for (const records of last) yield { records };
    return null;
  }

  stats(): DecoderStats {
    const { lines, loads, stores, modifies, kernelSkipped, instructions, ...rest } = this.#decoder.stats();
    const skipped = rest.comments + rest.superblocks + rest.foreign + rest.otherPid;
    const accesses = loads + stores + modifies;
    return { lines, accesses, loads, stores, modifies, kernelSkipped, instructions, skipped };
  }

  close(): void {
    this.#decoder.close();
  }
}
