/** A decoder of lackey traces for tests: text in, records as text out. */
import {
  RECORD_AGENT_SHIFT,
  RECORD_ID_SHIFT,
  RECORD_KIND_MASK,
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

/** A record, of two words, as `agent kind address,size`. */
function show(where: bigint, how: bigint): string {
  const agent = (Number(how) >> RECORD_AGENT_SHIFT) & 0xff;
  const kind = "LSM"[Number(how & BigInt(RECORD_KIND_MASK))];
  const address = BigInt.asUintN(RECORD_SIZE_SHIFT, where);
  const size = where >> BigInt(RECORD_SIZE_SHIFT);
  return `${agent === 0 ? "cpu" : "dev"} ${kind} ${address.toString(16)},${size}`;
}

/** The records of an array, in words. */
export function shown(records: BigUint64Array): string[] {
  return Array.from({ length: records.length / 2 }, (_, i) => show(records[2 * i], records[2 * i + 1]));
}

/** The code addresses of an array's records. */
export function codesOf(records: BigUint64Array): number[] {
  return Array.from({ length: records.length / 2 }, (_, i) =>
    Number(records[2 * i + 1] >> BigInt(RECORD_ID_SHIFT)),
  );
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
    records.push(...shown(decoder.push(bytes.subarray(bounds[i - 1], bounds[i]))));
  }
  const stats = decoder.end((rest) => records.push(...shown(rest)));
  return { records, stats };
}
