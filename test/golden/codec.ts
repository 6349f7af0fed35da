/** The records' encoding of bytes and pages. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";

/** A page's contents: the byte that fills it, or `"bb:hhhhhhhh"` (first byte, FNV-1a-32), or a signal. */
export type PageContent = number | string;

/** The byte that a failed sub-operation leaves in its buffer. */
export const UNTOUCHED = 0xee;

/** `[2, 2, 2, 255]` → `"02*3 ff"`. */
export function encodeBytes(bytes: ArrayLike<number>): string {
  const runs: string[] = [];
  for (let i = 0; i < bytes.length;) {
    let end = i + 1;
    while (end < bytes.length && bytes[end] === bytes[i]) end++;
    const byte = bytes[i].toString(16).padStart(2, "0");
    runs.push(end - i > 1 ? `${byte}*${end - i}` : byte);
    i = end;
  }
  return runs.join(" ");
}

/** `"02*3 ff"` → `[2, 2, 2, 255]`. Throws on anything else. */
export function decodeBytes(text: string): number[] {
  const bytes: number[] = [];
  if (text === "") return bytes;
  for (const run of text.split(" ")) {
    const match = /^([0-9a-f]{2})(?:\*([1-9][0-9]*))?$/.exec(run);
    if (match === null) throw new Error(`"${run}" is not a byte with a count, in "${text}"`);
    const count = match[2] === undefined ? 1 : Number(match[2]);
    for (let i = 0; i < count; i++) bytes.push(parseInt(match[1], 16));
  }
  return bytes;
}

/** The 32-bit Fowler–Noll–Vo hash, variant 1a. */
export function fnv1a(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Returns one page's contents in the records' form. */
export function encodePage(page: Uint8Array): PageContent {
  const first = page[0];
  if (page.every((byte) => byte === first)) return first;
  return `${first.toString(16).padStart(2, "0")}:${fnv1a(page).toString(16).padStart(8, "0")}`;
}

/** Returns the contents of each page of `bytes`. */
export function encodePages(bytes: Uint8Array): PageContent[] {
  return Array.from({ length: bytes.length / PAGE_SIZE }, (_, i) =>
    encodePage(bytes.subarray(i * PAGE_SIZE, (i + 1) * PAGE_SIZE)),
  );
}

/** Returns the pattern that writes use: page i is filled with (value + i) & 255. */
export function patternPages(npages: number, value: number): Uint8Array {
  const bytes = new Uint8Array(npages * PAGE_SIZE);
  for (let i = 0; i < npages; i++) bytes.fill((value + i) & 0xff, i * PAGE_SIZE, (i + 1) * PAGE_SIZE);
  return bytes;
}
