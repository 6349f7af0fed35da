// A word that any changed byte of a range changes.

/** Odd numbers, so that multiplying by them loses nothing. */
const FACTOR_A: i32 = <i32>0x9e3779b1;
const FACTOR_B: i32 = <i32>0x85ebca77;

/** One step of four lanes: what they hold is mixed with four words. */
@inline
function mix(lanes: v128, at: usize, factor: i32): v128 {
  return i32x4.mul(v128.xor(lanes, v128.load(at)), i32x4.splat(factor));
}


@inline
function fold(lanes: v128): u32 {
  const a = i32x4.extract_lane(lanes, 0) ^ (<i32>rotl<u32>(i32x4.extract_lane(lanes, 1), 7));
  const b =
    (<i32>rotl<u32>(i32x4.extract_lane(lanes, 2), 13)) ^ (<i32>rotl<u32>(i32x4.extract_lane(lanes, 3), 21));
  return a ^ b;
}

/** Of [start, end), a multiple of 64 bytes. Sixteen lanes, as the steps of one depend on each other. */
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
