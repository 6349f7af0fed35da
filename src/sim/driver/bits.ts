/**
 * Bitmaps of the pages of one VA block: 512 bits in 16 words, bit i of word w for page 32 w + i. Every state
 * that the managed driver keeps by page is such a bitmap.
 */

/** Pages of a VA block: 2 MiB of 4 KiB pages. */
export const BLOCK_PAGES = 512;
/** Bytes of a VA block. */
export const BLOCK_BYTES = BLOCK_PAGES * 4096;
/** Words of a bitmap. */
export const WORDS = BLOCK_PAGES / 32;

/** One bit for each page of a VA block, in {@link WORDS} words. */
export type Bits = Uint32Array;

/** Returns an empty bitmap. */
export function newBits(): Bits {
  return new Uint32Array(WORDS);
}

/** Returns whether page `i`, 0 to 511, is in `bits`. */
export function hasBit(bits: Bits, i: number): boolean {
  return (bits[i >>> 5] & (1 << (i & 31))) !== 0;
}

/** Adds page `i` to `bits`. */
export function setBit(bits: Bits, i: number): void {
  bits[i >>> 5] |= 1 << (i & 31);
}

/** Takes page `i` from `bits`. */
export function clearBit(bits: Bits, i: number): void {
  bits[i >>> 5] &= ~(1 << (i & 31));
}

/** Returns the bits of word `w` that lie in pages [from, to). */
function maskOf(w: number, from: number, to: number): number {
  const first = Math.max(from - 32 * w, 0);
  const end = Math.min(to - 32 * w, 32);
  if (first >= end) return 0;
  return (0xffffffff >>> (32 - (end - first))) << first;
}

/** Adds the pages [from, to) to `bits`. */
export function setRange(bits: Bits, from: number, to: number): void {
  for (let w = from >>> 5; 32 * w < to; w++) bits[w] |= maskOf(w, from, to);
}

/** Returns how many bits of a word are set. */
export function ones(word: number): number {
  word -= (word >>> 1) & 0x55555555;
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
  return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Returns how many of the pages [from, to) are in `bits`; by default of all pages. */
export function countBits(bits: Bits, from = 0, to = BLOCK_PAGES): number {
  let count = 0;
  for (let w = from >>> 5; 32 * w < to; w++) count += ones(bits[w] & maskOf(w, from, to));
  return count;
}

/** Returns whether no page is in `bits`. */
export function isEmpty(bits: Bits): boolean {
  for (let w = 0; w < WORDS; w++) if (bits[w] !== 0) return false;
  return true;
}

/** Adds the pages of `other` to `bits`. */
export function addBits(bits: Bits, other: Bits): void {
  for (let w = 0; w < WORDS; w++) bits[w] |= other[w];
}

/** Takes the pages of `other` from `bits`. */
export function removeBits(bits: Bits, other: Bits): void {
  for (let w = 0; w < WORDS; w++) bits[w] &= ~other[w];
}

/** Leaves in `bits` the pages that are also in `other`. */
export function keepBits(bits: Bits, other: Bits): void {
  for (let w = 0; w < WORDS; w++) bits[w] &= other[w];
}

/** Returns the first page from `from` on that is in `bits`; 512 if there is none. */
export function nextBit(bits: Bits, from: number): number {
  for (let w = from >>> 5; w < WORDS; w++) {
    const word = 32 * w < from ? bits[w] & (-1 << (from & 31)) : bits[w];
    if (word !== 0) return 32 * w + 31 - Math.clz32(word & -word);
  }
  return BLOCK_PAGES;
}

/** Returns the first page from `from` on that is not in `bits`; 512 if there is none. */
export function nextGap(bits: Bits, from: number): number {
  for (let w = from >>> 5; w < WORDS; w++) {
    const word = 32 * w < from ? ~bits[w] & (-1 << (from & 31)) : ~bits[w];
    if (word !== 0) return 32 * w + 31 - Math.clz32(word & -word);
  }
  return BLOCK_PAGES;
}

/** Returns the maximal runs of consecutive pages in `bits`, ascending, as pairs [first, end). */
export function runsOf(bits: Bits): [first: number, end: number][] {
  const runs: [number, number][] = [];
  for (let first = nextBit(bits, 0); first < BLOCK_PAGES;) {
    const end = nextGap(bits, first);
    runs.push([first, end]);
    first = nextBit(bits, end);
  }
  return runs;
}

/** Returns a bitmap as text for snapshots: 8 hexadecimal digits a word; "" if it is empty. */
export function bitsToText(bits: Bits): string {
  return isEmpty(bits) ? "" : Array.from(bits, (word) => word.toString(16).padStart(8, "0")).join("");
}

/** Sets a bitmap to what bitsToText() returned. */
export function setFromText(bits: Bits, text: string): void {
  for (let w = 0; w < WORDS; w++) bits[w] = text === "" ? 0 : parseInt(text.slice(8 * w, 8 * w + 8), 16);
}
