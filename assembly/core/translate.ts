// Translation in batches: what a CPU's loads would find, without any of their effects.

import { HMM_PFN_VALID, HMM_PFN_WRITE } from "../uapi/pfn";
import { mmAt } from "./mm";
import { addressOf, readPte } from "./pagetable";
import { pteFlags, ptePfn } from "./pte";

/** How many of n f64, from the first on, are addresses below 2^48: n if all are. NaN is none. */
export function addressesBelow48(addrs: usize, n: u32): u32 {
  const zero = f64x2.splat(0);
  const end = f64x2.splat(281474976710656);
  let i: u32 = 0;
  for (; i + 2 <= n; i += 2) {
    const pair = v128.load(addrs + (i << 3));
    if (!i64x2.all_true(v128.and(f64x2.ge(pair, zero), f64x2.lt(pair, end)))) break;
  }
  for (; i < n; i++) {
    const addr = load<f64>(addrs + (i << 3));
    if (!(addr >= 0 && addr < 281474976710656)) break;
  }
  return i;
}

/** An entry as an hmm_pfn word if it is present, else 0. */
@inline
function presentWord(pte: u64): u32 {
  const flags = pteFlags(pte);
  return ((flags & <u32>(HMM_PFN_VALID | HMM_PFN_WRITE)) | ptePfn(pte)) & <u32>(<i32>flags >> 31);
}

/** For n addresses (f64 each): what the CPU's entry names, as an hmm_pfn word. Words that are not 0. */
export function translate(mmId: u32, addrs: usize, n: u32, out: usize): i32 {
  const pgd = mmAt(mmId).pgd;
  let found: u32 = 0;
  // Two walks a turn: their loads overlap better.
  let i: u32 = 0;
  for (; i + 2 <= n; i += 2) {
    const a = presentWord(readPte(pgd, addressOf(load<f64>(addrs + (i << 3)))));
    const b = presentWord(readPte(pgd, addressOf(load<f64>(addrs + (i << 3), 8))));
    found += (a >> 31) + (b >> 31);
    store<u32>(out + (i << 2), a);
    store<u32>(out + (i << 2), b, 4);
  }
  if (i < n) {
    const a = presentWord(readPte(pgd, addressOf(load<f64>(addrs + (i << 3)))));
    found += a >> 31;
    store<u32>(out + (i << 2), a);
  }
  return found;
}
