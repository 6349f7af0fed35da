// The checksum of a range of bytes, for snapshots: 32 bits, each of which depends on every byte.

/** Odd factors: a multiplication by them modulo 2^32 is a bijection, so that no step loses information. */
const FACTOR_A: i32 = <i32>0x9e3779b1;
const FACTOR_B: i32 = <i32>0x85ebca77;

/** Mixes the four words at `at` into four lanes. */
@inline
function mix(lanes: v128, at: usize, factor: i32): v128 {
  return i32x4.mul(v128.xor(lanes, v128.load(at)), i32x4.splat(factor));
}

/** Folds four lanes into one word. */
@inline
function fold(lanes: v128): u32 {
  const a = i32x4.extract_lane(lanes, 0) ^ (<i32>rotl<u32>(i32x4.extract_lane(lanes, 1), 7));
  const b =
    (<i32>rotl<u32>(i32x4.extract_lane(lanes, 2), 13)) ^ (<i32>rotl<u32>(i32x4.extract_lane(lanes, 3), 21));
  return a ^ b;
}

/**
 * Returns the checksum of the bytes [start, end), whose number is a multiple of 64. It runs sixteen lanes
 * side by side, since each step of a lane waits for the multiplication of the step before.
 */
export function checksum(start: usize, end: usize): u32 {
  let a = i32x4(1, 2, 3, 4);
  let b = i32x4(5, 6, 7, 8);
  let c = i32x4(9, 10, 11, 12);
  let d = i32x4(13, 14, 15, 16);
  for (let at = start; at < end; at += 64) {
    a = mix(a, at, FACTOR_A);
    b = mix(b, at + 16, FACTOR_B);
    c = mix(c, at + 32, FACTOR_A);
    d = mix(d, at + 48, FACTOR_B);
  }
  return fold(a) ^ rotl<u32>(fold(b), 5) ^ rotl<u32>(fold(c), 11) ^ rotl<u32>(fold(d), 17);
}
