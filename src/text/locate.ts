/** Finds the line of an access: the decoder gives records, and messages name lines. */
import { RECORD_KIND_FETCH, RECORD_KIND_MASK } from "../../assembly/abi/record.ts";
import { loadText } from "./index.ts";
import { LackeyDecoder, type LackeyOptions } from "./lackey.ts";

const LINE_FEED = 0x0a;

/** Returns how many of the first `n` records are accesses, and no instructions. */
export function accessesAmong(records: BigUint64Array, n: number): number {
  const words = new Uint32Array(records.buffer, records.byteOffset, 4 * n);
  let accesses = 0;
  for (let at = 2; at < words.length; at += 4)
    if ((words[at] & RECORD_KIND_MASK) !== RECORD_KIND_FETCH) accesses++;
  return accesses;
}

/**
 * Returns the number of the line that gave access `index`, counted from 0, of `text`, which a decoder with
 * `options` has decoded: its first line has number `first`.
 */
export function lineOfRecord(text: Uint8Array, index: number, options: LackeyOptions, first: number): number {
  const decoder = new LackeyDecoder(loadText(), { ...options, instructions: false });
  let records = 0;
  let line = first;
  for (let at = 0; at < text.length; line++) {
    const end = text.indexOf(LINE_FEED, at) + 1 || text.length;
    records += decoder.push(text.subarray(at, end)).length / 2;
    if (end === text.length) decoder.finish((rest) => (records += rest.length / 2));
    if (records > index) break;
    at = end;
  }
  decoder.close();
  return line;
}
