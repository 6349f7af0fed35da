// Translation in batches: what loads would find, without their effects.

import { EINVAL } from "../../uapi/errno";
import { PTE_HMM } from "../../uapi/pte";
import { pteFlags, ptePfn } from "../base/pte";
import { mmAt } from "../space/mm";
import { entryAt } from "../table/pagetable";

/** 2^52: adding it to a smaller address leaves the address in the low 52 bits of the sum. */
const MAGIC: f64 = 4503599627370496.0;
/** The top 16 bits of that sum, if the address is below 2^48. */
const TOP: u64 = 0x4330;

/** Counts the addresses (f64 each) before the first that is not below 2^48, or is NaN: n if there is none. */
export function addressesBelow48(addrs: usize, n: u32): u32 {
  let i: u32 = 0;
  while (i < n && reinterpret<u64>(load<f64>(addrs + (i << 3)) + MAGIC) >> 48 == TOP) i++;
  return i;
}

/** -1 if the entry is present, else 0. */
@inline
function presentMask(pte: u64): i32 {
  return (<i32>pteFlags(pte)) >> 31;
}

/** The entry as an hmm_pfn word if it is present, else 0. */
@inline
function presentWord(pte: u64): u32 {
  return ((pteFlags(pte) & (<u32>PTE_HMM)) | ptePfn(pte)) & (<u32>presentMask(pte));
}

/** presentWord() of the four entries whose addresses are at `at`; its top bit says that it is not 0. */
@inline
function presentWords(at: usize): v128 {
  const a = v128.load64_lane(load<u32>(at, 4), v128.load64_zero(load<u32>(at)), 1);
  const b = v128.load64_lane(load<u32>(at, 12), v128.load64_zero(load<u32>(at, 8)), 1);
  const flags = i8x16.shuffle(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
  const pfns = i8x16.shuffle(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
  const words = v128.or(v128.and(flags, i32x4.splat(<i32>PTE_HMM)), pfns);
  return v128.and(words, i32x4.shr_s(flags, 31));
}

/** Addresses whose entries are found before any of them is read, so that what is not cached comes at once. */
const RUN: u32 = 128;

/**
 * Translates n addresses (f64 each): out receives an hmm_pfn word for each that the CPU can access, else 0.
 * Returns how many are not 0; -EINVAL, with out undefined, if an address is not below 2^48.
 */
export function translate(mmId: u32, addrs: usize, n: u32, out: usize): i32 {
  const pgd = mmAt(mmId).pgd;
  const magic = f64x2.splat(MAGIC);
  // The bits that all sums have, and those that any sum has: the top 16 of both are TOP if every address is
  // below 2^48.
  let all = magic;
  let any = magic;
  let found: i32 = 0;
  const last = addrs + ((<usize>n) << 3);
  while (addrs < last) {
    const end = min(addrs + RUN * 8, last);
    // Where the entries are goes to their words of out. Two walks a turn: their loads overlap better.
    let to = out;
    for (; addrs + 8 < end; addrs += 16, to += 8) {
      const sums = f64x2.add(v128.load(addrs), magic);
      all = v128.and(all, sums);
      any = v128.or(any, sums);
      store<u32>(to, <u32>entryAt(pgd, i64x2.extract_lane(sums, 0)));
      store<u32>(to, <u32>entryAt(pgd, i64x2.extract_lane(sums, 1)), 4);
    }
    if (addrs < end) {
      const sums = f64x2.add(v128.load64_splat(addrs), magic);
      all = v128.and(all, sums);
      any = v128.or(any, sums);
      store<u32>(to, <u32>entryAt(pgd, i64x2.extract_lane(sums, 0)));
      addrs += 8;
      to += 4;
    }
    for (; out + 16 <= to; out += 16) {
      const words = presentWords(out);
      found += popcnt(i32x4.bitmask(words));
      v128.store(out, words);
    }
    for (; out < to; out += 4) {
      const pte = load<u64>(load<u32>(out));
      found -= presentMask(pte);
      store<u32>(out, presentWord(pte));
    }
  }
  return v128.any_true(i64x2.shr_u(v128.xor(all, any), 48)) ? -EINVAL : found;
}
