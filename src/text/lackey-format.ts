/** The decoder of lackey traces (lackey.ts) with the interface that all decoders have (decoder.ts). */
import type { DecoderStats, TraceDecoder, UseRecords } from "./decoder.ts";
import type { TextModule } from "./index.ts";
import { LackeyDecoder, TraceError, type LackeyOptions } from "./lackey.ts";

export class LackeyFormat implements TraceDecoder {
  readonly #decoder: LackeyDecoder;

  constructor(text: TextModule, options: LackeyOptions) {
    this.#decoder = new LackeyDecoder(text, options);
  }

  feed(bytes: Uint8Array, use: UseRecords): void {
    this.#decoder.feed(bytes, (records) => use(records, []));
  }

  finish(use: UseRecords): string | null {
    try {
      this.#decoder.finish((records) => use(records, []));
      return null;
    } catch (error) {
      if (!(error instanceof TraceError) || this.stats().accesses === 0) throw error;
      return `line ${error.line} is cut off`;
    }
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
