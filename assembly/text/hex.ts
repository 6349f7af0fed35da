/** Converts hexadecimal digits to numbers, 16 digits at a time. */

/** 16 bytes of 0, then 16 of 255: the 16 bytes at offset n are a mask that keeps the last n of 16 bytes. */
const KEEP_LAST: usize = memory.data<u64>([0, 0, -1, -1]);

/**
 * Vectors of one byte each. They are loaded: V8 builds a constant vector anew at each use, in three
 * instructions.
 */
export const OF_0A: usize = memory.data<u64>([0x0a0a0a0a0a0a0a0a, 0x0a0a0a0a0a0a0a0a]);
const OF_06: usize = memory.data<u64>([0x0606060606060606, 0x0606060606060606]);
const OF_41: usize = memory.data<u64>([0x4141414141414141, 0x4141414141414141]);
const OF_70: usize = memory.data<u64>([0x7070707070707070, 0x7070707070707070]);
const OF_C6: usize = memory.data<u64>([0xc6c6c6c6c6c6c6c6, 0xc6c6c6c6c6c6c6c6]);
const OF_DF: usize = memory.data<u64>([0xdfdfdfdfdfdfdfdf, 0xdfdfdfdfdfdfdfdf]);
const OF_F0: usize = memory.data<u64>([0xf0f0f0f0f0f0f0f0, 0xf0f0f0f0f0f0f0f0]);

/**
 * The values, 0 to 15, of 16 characters; a character that is no hexadecimal digit gets a value above 15.
 * Saturating adds move decimal digits to 0 … 9 and letters to 10 … 15; of the two results, the one in range
 * is the smaller.
 */
@inline
export function hexNibbles(text: v128): v128 {
  const high = i8x16.sub_sat_u(i8x16.add(text, v128.load(OF_C6)), v128.load(OF_06));
  const decimal = i8x16.sub(high, v128.load(OF_F0));
  const upper = v128.and(text, v128.load(OF_DF));
  const letter = i8x16.add_sat_u(i8x16.sub(upper, v128.load(OF_41)), v128.load(OF_0A));
  return i8x16.min_u(decimal, letter);
}

/** Keeps the last `count` of 16 values, and clears those before them. */
@inline
export function keepLast(values: v128, count: usize): v128 {
  return v128.and(values, v128.load(KEEP_LAST + count));
}

/** Whether all values are at most 15. */
@inline
export function areNibbles(nibbles: v128): bool {
  return i8x16.bitmask(i8x16.add_sat_u(nibbles, v128.load(OF_70))) == 0;
}

/** The number that 16 values of 4 bits make. Neighbors are joined to bytes, whose order is then reversed. */
@inline
export function joinNibbles(nibbles: v128): u64 {
  const bytes = v128.or(i16x8.shl(nibbles, 4), i16x8.shr_u(nibbles, 8));
  return i64x2.extract_lane(
    v128.shuffle<u8>(bytes, bytes, 14, 12, 10, 8, 6, 4, 2, 0, 14, 12, 10, 8, 6, 4, 2, 0),
    0,
  );
}

/** The two numbers that 8 values of 4 bits each make, the first in the low half. */
@inline
export function joinEights(nibbles: v128): u64 {
  const bytes = v128.or(i16x8.shl(nibbles, 4), i16x8.shr_u(nibbles, 8));
  return i64x2.extract_lane(
    v128.shuffle<u8>(bytes, bytes, 6, 4, 2, 0, 14, 12, 10, 8, 6, 4, 2, 0, 14, 12, 10, 8),
    0,
  );
}
