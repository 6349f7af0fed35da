// The words of src and dst. A driver has arrays of its own, into which it may write anything at any time; the
// core works on copies, which only words that were checked enter.
//
//   setup      publishSource: the driver's src is the core's
//   pages()    wrongSource and takeDestinations check, adoptSource and adoptTarget take over; publishSource
//              at the end
//   finalize() reads the core's words only

import { MIGRATE_PFN_MIGRATE } from "../../uapi/pfn";
import { copyWords } from "../base/layout";
import { Migration } from "../space/migration";

/** Shows the driver the core's words of src. */
export function publishSource(m: Migration): void {
  copyWords(m.driverSrc, m.src, m.npages);
}

/** Takes over the driver's words of dst, which the caller checks. */
export function adoptTarget(m: Migration): void {
  copyWords(m.dst, m.driverDst, m.npages);
}

/**
 * Are the driver's words of src the core's, but for MIGRATE, which a driver may clear to leave a page where
 * it is? Returns the index of the first word that is not so; npages: all are.
 */
export function wrongSource(m: Migration): u32 {
  const n = m.npages;
  const others = i32x4.splat(~MIGRATE_PFN_MIGRATE);
  let i: u32 = 0;
  // Four words at a time, as long as they differ in nothing but a MIGRATE that is cleared.
  for (; i + 4 <= n; i += 4) {
    const own = v128.load(m.src + i * 4);
    const words = v128.load(m.driverSrc + i * 4);
    const changed = v128.and(v128.xor(own, words), others);
    if (v128.any_true(v128.or(changed, v128.andnot(words, own)))) break;
  }
  for (; i < n; i++) {
    const own = m.source(i);
    const word = load<u32>(m.driverSrc + i * 4);
    if (word != own && word != (own & ~MIGRATE_PFN_MIGRATE)) return i;
  }
  return n;
}

/** Takes over the driver's words of src, which wrongSource() has checked. */
export function adoptSource(m: Migration): void {
  copyWords(m.src, m.driverSrc, m.npages);
}
