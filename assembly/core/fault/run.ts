// Write faults on neighbors: the fast form of writeProtectFault() in fault.ts. One loop serves as many
// entries of a leaf table as need the same, and nothing from the outside. Where a run ends, handleFault()
// serves the next page.

import { COUNT_FAULT } from "../../abi/counter";
import {
  BLOCK_BITMAP,
  BLOCK_PFN,
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_FLAGS,
  FOLIO_INDEX,
  FOLIO_LRU,
  FOLIO_REFERENCED,
  FOLIO_SIZE,
} from "../../abi/frame";
import { HDR_FAIL_ALLOC, HDR_FAULT_KIND, HDR_FOLIOS } from "../../abi/header";
import { LOG_FAULT } from "../../abi/log";
import { FAULT_KIND_COW, FAULT_KIND_REUSE } from "../../uapi/event";
import { PTE_DIRTY, PTE_HUGE, PTE_PRESENT, PTE_SPECIAL, PTE_WRITE, PTE_YOUNG } from "../../uapi/pte";
import { VM_SHARED, VM_WRITE } from "../../uapi/vm";
import { header, setHeader } from "../base/layout";
import { exists, none } from "../base/object";
import { DEBUG } from "../base/panic";
import { makePte, pteFlags, ptePfn } from "../base/pte";
import { count, log } from "../base/stat";
import { Folio, FOLIO_MARKS, FOLIO_SOLE } from "../frame/folio";
import { copyFrame } from "../frame/frame";
import { bitsLeft, blockWithFree, tookFrames } from "../frame/page-alloc";
import { Cmd } from "../operation/cmd";
import { anybodyListens } from "../operation/notify";
import { pgoffOf, Vma } from "../space/vma";
import { isNewAnon, makeExclusive, mayReuse, writtenFlags } from "./common";

/** The flags that a folio which a run serves may have, beside FOLIO_ANON. */
const USUAL: u32 = FOLIO_LRU | FOLIO_MARKS;

/**
 * Serves write faults, with mark_page_accessed, on entries of [addr, end), which lies in one leaf table: from
 * the entry at `slot` on, all that are served in the way that it is, in place or by a copy. Returns how many;
 * 0 where the fault handler has to look.
 */
export function writeRun(cmd: Cmd, vma: Vma, addr: u64, end: u64, slot: usize): u32 {
  if ((vma.flags & (VM_SHARED | VM_WRITE)) != VM_WRITE || !vma.anonVma) return 0;
  const last = slot + ((<usize>(end - addr)) >> 9);
  const reused = reuseRun(vma, addr, slot, last);
  if (reused) return served(vma, FAULT_KIND_REUSE, reused);
  // A copy must not need what may fail or suspend: a charge to a group, an event for a subscriber.
  if (vma.mm.memcg || header(HDR_FAIL_ALLOC)) return 0;
  if (cmd.newPage | cmd.windowMm | cmd.innerMm || anybodyListens(vma.mm, addr, end)) return 0;
  return served(vma, FAULT_KIND_COW, copyRun(vma, addr, slot, last));
}

/** done() of `pages` pages, without their logs. Returns `pages`. */
@inline
function served(vma: Vma, kind: u32, pages: u32): u32 {
  if (!pages) return 0;
  vma.mm.faults += pages;
  setHeader(HDR_FAULT_KIND, kind);
  count(COUNT_FAULT + kind, pages);
  return pages;
}

/** The folio of a write-protected entry of a usual anonymous page; null for any other entry. */
@inline
function readOnlyFolio(pte: u64, folios: usize): Folio {
  const folio = folios + ptePfn(pte) * FOLIO_SIZE;
  const bits = (<u32>PTE_PRESENT) | PTE_WRITE | PTE_HUGE | PTE_SPECIAL;
  if ((pteFlags(pte) & bits) != <u32>PTE_PRESENT) return none<Folio>();
  return changetype<Folio>((load<u16>(folio, FOLIO_FLAGS) & ~USUAL) == FOLIO_ANON ? folio : 0);
}

/** wp_page_reuse, as far as the pages belong to this mm alone. Returns how many. */
function reuseRun(vma: Vma, addr: u64, slot: usize, last: usize): u32 {
  const folios = header(HDR_FOLIOS);
  const anonVma = <u16>vma.anonVma;
  let at = slot;
  for (; at < last; at += 8) {
    const pte = load<u64>(at);
    const folio = readOnlyFolio(pte, folios);
    if (!exists(folio)) break;
    if (!folio.has(FOLIO_ANON_EXCLUSIVE) && folio.refcount != 1) break;
    if (DEBUG) assert(mayReuse(vma, ptePfn(pte), folio), "reuseRun: a page that writeProtectFault() copies");
    makeExclusive(folio, anonVma);
    folio.set(FOLIO_REFERENCED);
    store<u64>(at, pte | PTE_WRITE | PTE_YOUNG | PTE_DIRTY);
    log(LOG_FAULT, vma.mmId, addr + ((<u64>(at - slot)) << 9), FAULT_KIND_REUSE, ptePfn(pte));
  }
  return (<u32>(at - slot)) >> 3;
}

/**
 * Does somebody else refer to the page, too? Then a write copies it, and the entry's reference is not the
 * last one.
 */
@inline
function isShared(folio: Folio): bool {
  return exists(folio) && !folio.has(FOLIO_ANON_EXCLUSIVE) && folio.refcount > 1;
}

/**
 * copyPage(), as far as the pages are shared and frames are free; frames are taken by bitmap words. Returns
 * how many.
 */
function copyRun(vma: Vma, addr: u64, slot: usize, last: usize): u32 {
  const folios = header(HDR_FOLIOS);
  const flags = writtenFlags(vma);
  const marks: u64 = FOLIO_ANON | FOLIO_ANON_EXCLUSIVE | FOLIO_LRU | FOLIO_REFERENCED;
  // A folio's second eight bytes: index, anon_vma, flags. Its first: one reference, one mapping, the index's
  // high bits.
  const made = ((<u64>vma.anonVma) << 32) | (marks << 48);
  let pgoff = pgoffOf(vma, addr);
  let at = slot;
  while (at < last && isShared(readOnlyFolio(load<u64>(at), folios))) {
    const block = blockWithFree(0);
    if (!block) break;
    let word = block + BLOCK_BITMAP;
    while (!load<u64>(word)) word += 8;
    const base = load<u32>(block, BLOCK_PFN) + <u32>(word - block) * 8;
    const first = at;
    let bits = bitsLeft(0, word);
    const others = load<u64>(word) ^ bits;
    for (; bits && at < last; at += 8, bits &= bits - 1, pgoff++) {
      const pte = load<u64>(at);
      const old = readOnlyFolio(pte, folios);
      if (!isShared(old)) break;
      const copy = base + <u32>ctz(bits);
      copyFrame(copy, ptePfn(pte));
      const folio = folios + copy * FOLIO_SIZE;
      store<u64>(folio, FOLIO_SOLE | ((pgoff >> 32) << 56));
      store<u64>(folio, made | (<u64>(<u32>pgoff)), FOLIO_INDEX);
      if (DEBUG)
        assert(
          isNewAnon(vma, pgoff, changetype<Folio>(folio), FOLIO_LRU | FOLIO_REFERENCED),
          "copyRun: folio",
        );
      store<u64>(changetype<usize>(old), old.counts - FOLIO_SOLE);
      store<u64>(at, makePte(copy, flags));
      log(LOG_FAULT, vma.mmId, addr + ((<u64>(at - slot)) << 9), FAULT_KIND_COW, copy);
    }
    store<u64>(word, others | bits);
    tookFrames(0, block, (<u32>(at - first)) >> 3);
  }
  return (<u32>(at - slot)) >> 3;
}
