// Random numbers by SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA
// 2014), and permutations without a table. Whole numbers only: every platform draws the same ones.

import { RANDOM_STATE, setState, state } from "./memory";

/** The finaliser of SplitMix64: mixes the bits of a word. */
@inline
function mix(word: u64): u64 {
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
  word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
  return word ^ (word >> 31);
}

/** Starts the sequence of a seed. */
export function seedRandom(seed: u64): void {
  setState(RANDOM_STATE, seed);
}

/** The next 64 random bits. */
@inline
export function nextRandom(): u64 {
  const next = state(RANDOM_STATE) + 0x9e3779b97f4a7c15;
  setState(RANDOM_STATE, next);
  return mix(next);
}

/** The random bits that the n-th next call of nextRandom() draws. */
@inline
export function randomAhead(n: u64): u64 {
  return mix(state(RANDOM_STATE) + n * 0x9e3779b97f4a7c15);
}

/** Draws n times 64 random bits, which randomAhead() has shown. */
@inline
export function skipRandom(n: u64): void {
  setState(RANDOM_STATE, state(RANDOM_STATE) + n * 0x9e3779b97f4a7c15);
}

/** The high 64 bits of a product of two words. */
@inline
function multiplyHigh(a: u64, b: u64): u64 {
  const low = (a & 0xffffffff) * (b & 0xffffffff);
  const left = (a >> 32) * (b & 0xffffffff) + (low >> 32);
  const right = (a & 0xffffffff) * (b >> 32) + (left & 0xffffffff);
  return (a >> 32) * (b >> 32) + (left >> 32) + (right >> 32);
}

/**
 * Scales 64 random bits to a whole number below `count`: Lemire's multiplication, without its rejection step.
 */
@inline
export function scale(bits: u64, count: u64): u64 {
  if (count >> 32) return multiplyHigh(bits, count);
  return ((bits >> 32) * count + (((bits & 0xffffffff) * count) >> 32)) >> 32;
}

/**
 * The place of `index` in a permutation of [0, 2^bits) that `key` chooses: two rounds of an odd
 * multiplication and a shift, each of which is a bijection of `bits`-bit numbers.
 */
@inline
export function permute(index: u64, bits: u64, key: u64): u64 {
  const mask = bits >= 64 ? <u64>-1 : ((<u64>1) << bits) - 1;
  const shift = (bits >> 1) + 1;
  let at = (index ^ key) & mask;
  at = (at * (0x9e3779b97f4a7c15 | 1)) & mask;
  at ^= at >> shift;
  at = (at * ((key >> 7) | 1)) & mask;
  at ^= at >> shift;
  return (at * 0xbf58476d1ce4e5b9) & mask;
}

/** permute() of four words at once, for at most 32 bits: the low bits of a product need no others. */
@inline
export function permuteLanes(indexes: v128, bits: u32, key: u64): v128 {
  const mask = i32x4.splat(<i32>(bits >= 32 ? <u32>-1 : ((<u32>1) << bits) - 1));
  const shift = (bits >> 1) + 1;
  let at = v128.and(v128.xor(indexes, i32x4.splat(<i32>key)), mask);
  at = v128.and(i32x4.mul(at, i32x4.splat(<i32>(0x9e3779b97f4a7c15 | 1))), mask);
  at = v128.xor(at, i32x4.shr_u(at, shift));
  at = v128.and(i32x4.mul(at, i32x4.splat(<i32>((key >> 7) | 1))), mask);
  at = v128.xor(at, i32x4.shr_u(at, shift));
  return v128.and(i32x4.mul(at, i32x4.splat(<i32>(<u64>0xbf58476d1ce4e5b9))), mask);
}
