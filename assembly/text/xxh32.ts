/** XXH32 with seed 0: the checksum of .hmt blocks. */
const P1: u32 = 2654435761;
const P2: u32 = 2246822519;
const P3: u32 = 3266489917;
const P4: u32 = 668265263;
const P5: u32 = 374761393;

// @ts-ignore: decorator
@inline
function round(lane: u32, p: usize): u32 {
  return rotl<u32>(lane + load<u32>(p) * P2, 13) * P1;
}

/** The checksum of `length` bytes at `p`. */
export function xxh32(p: usize, length: usize): u32 {
  const end = p + length;
  let h: u32 = P5;
  if (length >= 16) {
    let a: u32 = P1 + P2;
    let b: u32 = P2;
    let c: u32 = 0;
    let d: u32 = 0 - P1;
    for (; p + 16 <= end; p += 16) {
      a = round(a, p);
      b = round(b, p + 4);
      c = round(c, p + 8);
      d = round(d, p + 12);
    }
    h = rotl<u32>(a, 1) + rotl<u32>(b, 7) + rotl<u32>(c, 12) + rotl<u32>(d, 18);
  }
  h += <u32>length;
  for (; p + 4 <= end; p += 4) h = rotl<u32>(h + load<u32>(p) * P3, 17) * P4;
  for (; p < end; p++) h = rotl<u32>(h + <u32>load<u8>(p) * P5, 11) * P1;
  h = (h ^ (h >> 15)) * P2;
  h = (h ^ (h >> 13)) * P3;
  return h ^ (h >> 16);
}
