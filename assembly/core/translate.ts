// Translation in batches: what a CPU's loads would find, without any of their effects.

import { EINVAL } from "../uapi/errno";
import { PTE_HMM } from "../uapi/pte";
import { mmAt } from "./mm";
import { readPte } from "./pagetable";
import { pteFlags, ptePfn } from "./pte";

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

/** An entry as an hmm_pfn word if it is present, else 0. */
@inline
function presentWord(pte: u64): u32 {
  const flags = pteFlags(pte);
  return ((flags & <u32>PTE_HMM) | ptePfn(pte)) & <u32>(<i32>flags >> 31);
}

/**
 * For n addresses (f64 each): what the CPU's entry names, as an hmm_pfn word. Words that are not 0; -EINVAL, with out
 * undefined, if addressesBelow48() of them is less than n.
 */
export function translate(mmId: u32, addrs: usize, n: u32, out: usize): i32 {
  const pgd = mmAt(mmId).pgd;
  let found: u32 = 0;
  let tops: u64 = 0;
  const last = addrs + (<usize>n << 3);
  // Two walks a turn: their loads overlap better.
  for (; addrs + 8 < last; addrs += 16, out += 8) {
    const first = reinterpret<u64>(load<f64>(addrs) + MAGIC);
    const second = reinterpret<u64>(load<f64>(addrs, 8) + MAGIC);
    tops |= (first ^ (TOP << 48)) | (second ^ (TOP << 48));
    const a = presentWord(readPte(pgd, first));
    const b = presentWord(readPte(pgd, second));
    found += (a >> 31) + (b >> 31);
    store<u32>(out, a);
    store<u32>(out, b, 4);
  }
  if (addrs < last) {
    const first = reinterpret<u64>(load<f64>(addrs) + MAGIC);
    tops |= first ^ (TOP << 48);
    const a = presentWord(readPte(pgd, first));
    found += a >> 31;
    store<u32>(out, a);
  }
  return tops >> 48 ? -EINVAL : found;
}
