// Translation in batches: what loads would find, without their effects.

import { EINVAL } from "../../uapi/errno";
import { PTE_HMM } from "../../uapi/pte";
import { pteFlags, ptePfn } from "../base/pte";
import { mmAt } from "../space/mm";
import { readPte } from "../table/pagetable";

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
