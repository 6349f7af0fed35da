// The words of src and dst. A driver has arrays of its own, into which it may write anything at any time; the
// core works on copies, which only words that were checked enter.
//
//   setup      publishSource: the driver's src is the core's
//   pages()    wrongSource and takeDestinations check, adoptSource takes over; publishSource at the end
//   finalize() reads the core's words only

import { MIGRATE_PFN_MIGRATE } from "../../uapi/pfn";
import { copyWords } from "../base/layout";
import { Migration } from "../space/migration";

/** Shows the driver the core's words of src. */
export function publishSource(m: Migration): void {
  copyWords(m.driverSrc, m.src, m.npages);
}

/** Returns how many words of src, from the first on, the driver has left as they are: a multiple of four. */
export function sameSource(m: Migration): u32 {
  const n = m.npages & ~3;
  const own: usize = m.src;
  const given: usize = m.driverSrc;
  for (let i: u32 = 0; i < n; i += 4) {
    const at = (<usize>i) << 2;
    if (v128.any_true(v128.xor(v128.load(own + at), v128.load(given + at)))) return i;
  }
  return n;
}

/**
 * Returns the index of the first of the driver's words of src, from word i on, that is neither the core's nor
 * the core's without MIGRATE, which a driver may clear to leave a page where it is; npages: there is none.
 */
export function wrongSource(m: Migration, i: u32): u32 {
  for (; i < m.npages; i++) {
    const own = m.source(i);
    const word = load<u32>(m.driverSrc + i * 4);
    if (word != own && word != (own & ~MIGRATE_PFN_MIGRATE)) return i;
  }
  return m.npages;
}

/** Takes over the driver's words of src from word i on, which wrongSource() has checked. */
export function adoptSource(m: Migration, i: u32): void {
  copyWords(m.src + i * 4, m.driverSrc + i * 4, m.npages - i);
}
