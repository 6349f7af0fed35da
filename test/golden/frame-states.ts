/** What /proc/kpageflags says of the pages of a range, in the records' form. */
import { PAGE_SIZE, type Mm } from "../../src/index.ts";
import { PMD_SIZE } from "../../assembly/uapi/page.ts";
import { PTE_HUGE, PTE_PRESENT, PTE_SPECIAL } from "../../assembly/uapi/pte.ts";
import { encodeBytes } from "./codec.ts";
import { pageInfo } from "./inspect.ts";

const PRESENT = 0x80;
const HEAD = 0x01;
const TAIL = 0x02;
const THP = 0x04;
const KSM = 0x08;
const ZERO = 0x10;
const ANON = 0x20;
const SWAP_CACHE = 0x40;

/** Returns a byte for each of n pages from `start`; 0 for a page that is not present. */
export function frameStates(mm: Mm, start: number, n: number): string {
  return encodeBytes(Array.from({ length: n }, (_, i) => frameState(mm, start + i * PAGE_SIZE)));
}

function frameState(mm: Mm, address: number): number {
  const entry = mm.lookupPte(address);
  if (entry === null || (entry.flags & PTE_PRESENT) === 0) return 0;
  if ((entry.flags & PTE_SPECIAL) !== 0) {
    const part = address % PMD_SIZE === 0 ? HEAD : TAIL;
    return PRESENT | ZERO | ((entry.flags & PTE_HUGE) === 0 ? 0 : part | THP);
  }
  // Pages of coherent devices have no flags.
  if (mm.hmm.isDevicePage(entry.pfn)) return PRESENT;
  const { anon, ksm, part, swapCache } = pageInfo(mm.hmm, entry.pfn);
  const large = part === null ? 0 : (part === "head" ? HEAD : TAIL) | (anon ? THP : 0);
  return PRESENT | large | (ksm ? KSM : 0) | (anon ? ANON : 0) | (swapCache ? SWAP_CACHE : 0);
}
