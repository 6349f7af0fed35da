// Folios of 16 KiB to 1 MiB: a write fault on anonymous memory maps a whole one, where its size is enabled
// for the mapping (hmm.setHugepages) and the aligned range around the address is empty. Single entries map
// it.

import { FOLIO_LRU } from "../../abi/frame";
import { HDR_HUGEPAGES, HUGEPAGES_ALWAYS, HUGEPAGES_MADVISE, ORDER_MIN, PMD_ORDER } from "../../abi/header";
import { FAULT_KIND_ANON } from "../../uapi/event";
import { VM_HUGEPAGE, VM_NOHUGEPAGE } from "../../uapi/vm";
import { header } from "../base/layout";
import { makePte } from "../base/pte";
import { folioOf } from "../frame/folio";
import { chargeLarge, zeroLarge } from "../frame/large";
import { memcgCharge, memcgUncharge } from "../frame/memcg";
import { allocRun } from "../frame/page-run";
import { Mm } from "../space/mm";
import { Vma } from "../space/vma";
import { addNewAnon, done, writtenFlags } from "./common";

/** Are folios of an order enabled for a mapping (thp_vma_allowable_order)? */
export function orderEnabled(vma: Vma, order: u32): bool {
  const how = (header(HDR_HUGEPAGES) >> (2 * order)) & 3;
  if (vma.flags & VM_NOHUGEPAGE) return false;
  return how == HUGEPAGES_ALWAYS || (how == HUGEPAGES_MADVISE && (vma.flags & VM_HUGEPAGE) != 0);
}

/** Where the aligned range of 2^order pages around addr begins; 0 if it does not lie inside the vma. */
export function rangeOf(vma: Vma, addr: u64, order: u32): u64 {
  const size = (<u64>4096) << order;
  const from = addr & ~(size - 1);
  return from >= vma.start && from + size <= vma.end ? from : 0;
}

/** Allocates a large folio of 2^order pages, charged to the mm's group. Its first pfn, or 0. */
export function allocSized(mm: Mm, order: u32): u32 {
  const n: u32 = 1 << order;
  if (!memcgCharge(mm.memcg, n)) return 0;
  const head = allocRun(0, order, true);
  if (head) chargeLarge(head, mm.memcg);
  else memcgUncharge(mm.memcg, n);
  return head;
}

/** Are all of n entries empty? */
function areEmpty(slot: usize, n: u32): bool {
  for (let i: u32 = 0; i < n; i++) if (load<u64>(slot + i * 8)) return false;
  return true;
}

/**
 * A write fault on the empty entry of addr at `slot`: maps the largest folio that is enabled and fits.
 * Returns false if none does, or memory has none. /
 */
export function sizedFault(vma: Vma, addr: u64, slot: usize): bool {
  for (let order: u32 = PMD_ORDER - 1; order >= <u32>ORDER_MIN; order--) {
    const from = orderEnabled(vma, order) ? rangeOf(vma, addr, order) : 0;
    if (!from) continue;
    const n: u32 = 1 << order;
    const first = slot - <usize>((addr - from) >> 9);
    if (!areEmpty(first, n)) continue;
    const head = allocSized(vma.mm, order);
    if (!head) continue;
    zeroLarge(head);
    for (let i: u32 = 0; i < n; i++) {
      addNewAnon(vma, from + ((<u64>i) << 12), folioOf(head + i), FOLIO_LRU);
      store<u64>(first + i * 8, makePte(head + i, writtenFlags(vma)));
    }
    done(vma, addr, FAULT_KIND_ANON, head + <u32>((addr - from) >> 12));
    return true;
  }
  return false;
}
