/** Finds the line of an access: the decoder gives records, and messages name lines. */

/** The line of a load, store or modify. Addresses from KERNEL on give no record. */
const ACCESS = /^ [LSM] ([0-9a-f]+),/i;
const KERNEL = 2 ** 47;

/**
 * Returns the number of the line that gave record `index`, counted from 0, of `text`. `text` is the decoded
 * chunk, completed by the incomplete line before it; its first line has number `first`.
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
