/** Helpers for tests of huge pages. */
import * as assert from "uvu/assert";
import { PTE_HUGE } from "../../assembly/uapi/pte.ts";
import {
  HMM_PFN_VALID,
  hmmPfnToMapOrder,
  hmmRangeFault,
  MADV_HUGEPAGE,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  type Mm,
  MMU_NOTIFY_CLEAR,
  MmuIntervalNotifier,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
} from "../../src/index.ts";

export const MIB = 1 << 20;
export const P = PAGE_SIZE;
export const PMD = 2 * MIB;
export const AT = 0x10000000;
export const PAGES = 512;

/** Maps [AT, AT + length) with MADV_HUGEPAGE. */
export function advised(mm: Mm, length = PMD, addr = AT): number {
  const prot = PROT_READ | PROT_WRITE;
  mm.mmap({ addr, length, prot, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED });
  mm.madvise(addr, length, MADV_HUGEPAGE);
  return addr;
}

/** Returns the orders of the mappings of `n` pages from addr, as a device sees them. */
export function orders(mm: Mm, addr: number, n = PAGES): Set<number> {
  const pfns = mm.hmm.pfnArray(n);
  using _sem = mm.mmapSem.read();
  using notifier = new MmuIntervalNotifier(mm, addr, n * PAGE_SIZE, { invalidate: () => undefined });
  const end = addr + n * PAGE_SIZE;
  assert.is(hmmRangeFault({ notifier, notifierSeq: notifier.readBegin(), start: addr, end, pfns }), 0);
  return new Set(Array.from(pfns, (word) => ((word & HMM_PFN_VALID) === 0 ? -1 : hmmPfnToMapOrder(word))));
}

/** Whether the entry of a page is part of a huge mapping. */
export function isHuge(mm: Mm, addr: number): boolean {
  return ((mm.lookupPte(addr)?.flags ?? 0) & PTE_HUGE) !== 0;
}

/** Returns the events that drivers hear, in pages from AT: "event first-end". */
export function listen(mm: Mm): string[] {
  const heard: string[] = [];
  new MmuIntervalNotifier(mm, 0, 2 ** 46, {
    invalidate: ({ event, start, end }) => {
      const name = event === MMU_NOTIFY_CLEAR ? "clear" : event;
      heard.push(`${name} ${(start - AT) / PAGE_SIZE}-${(end - AT) / PAGE_SIZE}`);
    },
  });
  return heard;
}

export const byteAt = (mm: Mm, addr: number): number => mm.read(addr, 1)[0];
export const write = (mm: Mm, addr: number, value: number): void => mm.write(addr, Uint8Array.of(value));
