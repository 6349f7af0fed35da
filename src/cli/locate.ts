/** Finds the line of a trace that an access stands in: the decoder gives records, and messages name lines. */

/** Loads, stores and modifies that get a record: addresses from 2^47 on get none. */
const ACCESS = /^ [LSM] ([0-9a-f]+),/i;
const KERNEL = 2 ** 47;

/**
 * The number of the line with record `index` (from 0) of `text`, the first line of which has number `first`. `text`
 * is the chunk that was decoded, with what the chunks before left incomplete.
 */
export function lineOfRecord(text: string, index: number, first: number): number {
  const lines = text.split("\n");
  let record = -1;
  for (let i = 0; i < lines.length; i++) {
    const match = ACCESS.exec(lines[i]);
    if (match && Number.parseInt(match[1], 16) < KERNEL && ++record === index) return first + i;
  }
  return first + lines.length - 1;
}
