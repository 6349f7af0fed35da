/** Decodes lackey traces for tests: from text to records as text. */
import { loadText } from "../../src/text/index.ts";
import { LackeyDecoder, type LackeyStats, type OffloadRange } from "../../src/text/lackey.ts";

export const text = loadText();
export const encode = (source: string): Uint8Array => new TextEncoder().encode(source);

/** Formats a record as `agent kind address,size`. */
export function show(record: bigint): string {
  const agent = (record >> 60n) & 1n ? "dev" : "cpu";
  const kind = "LSM"[Number((record >> 56n) & 3n)];
  return `${agent} ${kind} ${(record & ((1n << 48n) - 1n)).toString(16)},${(record >> 48n) & 255n}`;
}

export interface Decoded {
  records: string[];
  stats: LackeyStats;
}

/** Decodes a whole trace that arrives in pieces which end at `cuts`. */
export function decode(source: string, offload: OffloadRange[] = [], cuts: number[] = []): Decoded {
  const decoder = new LackeyDecoder(text, { offload });
  const bytes = encode(source);
  const records: string[] = [];
  const bounds = [0, ...cuts, bytes.length];
  for (let i = 1; i < bounds.length; i++) {
    for (const record of decoder.push(bytes.subarray(bounds[i - 1], bounds[i]))) records.push(show(record));
  }
  const stats = decoder.end((rest) => rest.forEach((record) => records.push(show(record))));
  return { records, stats };
}
