// Translation in batches: what a CPU's loads would find, without any of their effects.

import { EINVAL } from "../../uapi/errno";
import { PTE_HMM } from "../../uapi/pte";
import { pteFlags, ptePfn } from "../base/pte";
import { mmAt } from "../space/mm";
import { readPte } from "../table/pagetable";

/** 2^52: an address below it, added to it, stands in the low 52 bits of the sum. */
const MAGIC: f64 = 4503599627370496.0;
/** The top 16 bits of the sum for an address below 2^48. */
const TOP: u64 = 0x4330;

/** How many of n f64, from the first on, are addresses below 2^48: n if all are. NaN is none. */
export function addressesBelow48(addrs: usize, n: u32): u32 {
  let i: u32 = 0;
  while (i < n && reinterpret<u64>(load<f64>(addrs + (i << 3)) + MAGIC) >> 48 == TOP) i++;
  return i;
}

/** -1 if an entry is present, else 0. */
@inline
function presentMask(pte: u64): i32 {
  return (<i32>pteFlags(pte)) >> 31;
}

/** An entry as an hmm_pfn word if it is present, else 0. */
@inline
function presentWord(pte: u64): u32 {
  return ((pteFlags(pte) & (<u32>PTE_HMM)) | ptePfn(pte)) & (<u32>presentMask(pte));
}

/**
 * For n addresses (f64 each): what the CPU's entry names, as an hmm_pfn word. Words that are not 0; -EINVAL, with out
 * undefined, if addressesBelow48() of them is less than n.
 */
export function translate(mmId: u32, addrs: usize, n: u32, out: usize): i32 {
  const pgd = mmAt(mmId).pgd;
  const magic = f64x2.splat(MAGIC);
  // The bits that all sums have, and those that any has: the top 16 are MAGIC's own in both if every address is below 2^48.
  let all = magic;
  let any = magic;
  let found: i32 = 0;
  const last = addrs + ((<usize>n) << 3);
  // Two walks a turn: their loads overlap better.
  for (; addrs + 8 < last; addrs += 16, out += 8) {
    const sums = f64x2.add(v128.load(addrs), magic);
    all = v128.and(all, sums);
    any = v128.or(any, sums);
    const a = readPte(pgd, i64x2.extract_lane(sums, 0));
    const b = readPte(pgd, i64x2.extract_lane(sums, 1));
    found -= presentMask(a) + presentMask(b);
    store<u32>(out, presentWord(a));
    store<u32>(out, presentWord(b), 4);
  }
  if (addrs < last) {
    const sums = f64x2.add(v128.load64_splat(addrs), magic);
    all = v128.and(all, sums);
    any = v128.or(any, sums);
    const a = readPte(pgd, i64x2.extract_lane(sums, 0));
    found -= presentMask(a);
    store<u32>(out, presentWord(a));
  }
  return v128.any_true(i64x2.shr_u(v128.xor(all, any), 48)) ? -EINVAL : found;
}
