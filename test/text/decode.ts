/** A decoder of lackey traces for tests: text in, records as text out. */
import {
  RECORD_DEVICE_SHIFT,
  RECORD_KIND_SHIFT,
  RECORD_SIZE_LONG,
  RECORD_SIZE_MASK,
  RECORD_SIZE_SHIFT,
} from "../../assembly/abi/record.ts";
import { loadText } from "../../src/text/index.ts";
import {
  LackeyDecoder,
  type LackeyOptions,
  type LackeyStats,
  type OffloadRange,
} from "../../src/text/lackey.ts";

export const text = loadText();
export const encode = (source: string): Uint8Array => new TextEncoder().encode(source);

/**
 * A record as `agent kind address,size`; the size of a long access as `+n`, the pages that it touches after
 * the first.
 */
export function show(record: bigint): string {
  const field = (shift: number, mask: number): number => Number(record >> BigInt(shift)) & mask;
  const agent = field(RECORD_DEVICE_SHIFT, 1) ? "dev" : "cpu";
  const kind = "LSM"[field(RECORD_KIND_SHIFT, 3)];
  const size = field(RECORD_SIZE_SHIFT, RECORD_SIZE_MASK);
  const length = size & RECORD_SIZE_LONG ? `+${size - RECORD_SIZE_LONG}` : size;
  return `${agent} ${kind} ${(record & ((1n << 48n) - 1n)).toString(16)},${length}`;
}

export interface Decoded {
  records: string[];
  stats: LackeyStats;
}

/** Decodes a whole trace, handed over in pieces that end at `cuts`. */
export function decode(
  source: string,
  offload: OffloadRange[] = [],
  cuts: number[] = [],
  options: LackeyOptions = {},
): Decoded {
  const decoder = new LackeyDecoder(text, { ...options, offload });
  const bytes = encode(source);
  const records: string[] = [];
  const bounds = [0, ...cuts, bytes.length];
  for (let i = 1; i < bounds.length; i++) {
    for (const record of decoder.push(bytes.subarray(bounds[i - 1], bounds[i]))) records.push(show(record));
  }
  const stats = decoder.end((rest) => rest.forEach((record) => records.push(show(record))));
  return { records, stats };
}
