/** Finds the line of an access: the decoder gives records, and messages name lines. */
import { loadText } from "./index.ts";
import { LackeyDecoder, type LackeyOptions } from "./lackey.ts";

const LINE_FEED = 0x0a;

/**
 * Returns the number of the line that gave record `index`, counted from 0, of `text`, which a decoder with
 * `options` has decoded: its first line has number `first`.
 */
export function lineOfRecord(text: Uint8Array, index: number, options: LackeyOptions, first: number): number {
  const decoder = new LackeyDecoder(loadText(), options);
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
