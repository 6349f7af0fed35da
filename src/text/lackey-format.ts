/** The decoder of lackey traces (lackey.ts) with the interface that all decoders have (decoder.ts). */
import {
  RECORD_DEVICE_SHIFT,
  RECORD_KIND_SHIFT,
  RECORD_SIZE_MASK,
  RECORD_SIZE_SHIFT,
} from "../../assembly/abi/record.ts";
import type { DecoderStats, TraceDecoder, UseRecords } from "./decoder.ts";
import type { TextModule } from "./index.ts";
import { LackeyDecoder, TraceError, type LackeyOptions } from "./lackey.ts";

/** The two words of each record of one word. */
function widen(records: BigUint64Array): BigUint64Array {
  const wide = new BigUint64Array(2 * records.length);
  records.forEach((record, i) => {
    const field = (shift: number, mask: number): bigint => (record >> BigInt(shift)) & BigInt(mask);
    const size = field(RECORD_SIZE_SHIFT, RECORD_SIZE_MASK);
    wide[2 * i] = (record & 0xffffffffffffn) | (size << 48n);
    wide[2 * i + 1] = field(RECORD_KIND_SHIFT, 3) | (field(RECORD_DEVICE_SHIFT, 1) << 8n);
  });
  return wide;
}

export class LackeyFormat implements TraceDecoder {
  readonly #decoder: LackeyDecoder;

  constructor(text: TextModule, options: LackeyOptions) {
    this.#decoder = new LackeyDecoder(text, options);
  }

  feed(bytes: Uint8Array, use: UseRecords): void {
    this.#decoder.feed(bytes, (records) => use(widen(records), []));
  }

  finish(use: UseRecords): string | null {
    try {
      this.#decoder.finish((records) => use(widen(records), []));
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
