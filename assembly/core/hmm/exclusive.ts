// make_device_exclusive: lends pages to a device for atomic access. The CPU's entry becomes a device-exclusive one, so
// that a CPU access faults and takes the page back, telling the devices first.

import {
  FOLIO_ANON,
  FOLIO_DIRTY,
  FOLIO_HEAD,
  FOLIO_LOCKED,
  FOLIO_RESERVED,
  FOLIO_TAIL,
} from "../../abi/frame";
import { REQUEST } from "../../abi/request";
import { MMU_NOTIFY_EXCLUSIVE } from "../../uapi/event";
import { PAGE_SIZE } from "../../uapi/page";
import { PTE_DIRTY, PTE_HUGE, PTE_KIND_DEVICE_EXCLUSIVE, PTE_WRITE } from "../../uapi/pte";
import { ACCESS_GUP, ACCESS_WRITE, VM_HUGETLB, VM_WRITE } from "../../uapi/vm";
import { reach } from "../access/access";
import { exists } from "../base/object";
import { makePte, pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { Folio, folioOf } from "../frame/folio";
import { addExternalRefs, getPage, markAccessed, putPage } from "../frame/page-alloc";
import { Cmd } from "../operation/cmd";
import { notifyEnd, notifyStart } from "../operation/notify";
import { partEnd, partStart, splitMapping } from "../operation/split";
import { mapsPage } from "../space/migration";
import { mmAt } from "../space/mm";
import { rmapAddress, rmapFirst, rmapFirstLarge, rmapNext, rmapNextLarge, rmapVma } from "../space/rmap";
import { pgoffOf, vmaLookup } from "../space/vma";
import { largeMaps } from "../table/huge";
import { readPte, walk } from "../table/pagetable";

/**
 * OP_EXCLUSIVE: [start, end); a: pfns (u32 each); c: the lending device's owner; b: pages that were reached; e: the page being lent. phase 0 faults
 * pages in for writing, until one cannot be, and takes a reference on each; phase 1 lends them. A pfn is 0 where the
 * page could not be lent; the others are locked, with that reference. Returns the pages reached, or the first's error.
 */
export function exclusiveStep(cmd: Cmd): i32 {
  if (cmd.phase == 0) {
    const refused = reachAll(cmd);
    if (refused) return refused;
    cmd.phase = 1;
  }
  for (; cmd.e < cmd.b; cmd.e++) {
    const at: usize = cmd.a + cmd.e * 4;
    const pfn = load<u32>(at);
    const folio = folioOf(pfn);
    if (!cmd.link) {
      if (!folio.has(FOLIO_ANON) || folio.has(FOLIO_LOCKED | FOLIO_TAIL | FOLIO_RESERVED)) {
        dropPage(at, pfn);
        continue;
      }
      folio.set(FOLIO_LOCKED);
    }
    if (lend(cmd, pfn, folio) == REQUEST) return REQUEST;
    if (!isLent(cmd, pfn)) {
      folio.clear(FOLIO_LOCKED);
      dropPage(at, pfn);
    }
  }
  return cmd.b;
}

/** 0 when the pages that can be reached are: cmd.b of them. */
function reachAll(cmd: Cmd): i32 {
  while (cmd.cursor < cmd.end) {
    // Not while a driver's fault callback is under way.
    if (!cmd.faultPage && splitHere(cmd) == REQUEST) return REQUEST;
    const slot = reach(cmd, cmd.cursor, ACCESS_GUP | ACCESS_WRITE);
    if (!slot) return cmd.error == REQUEST || !cmd.b ? cmd.error : 0;
    const pte = load<u64>(slot);
    const pfn = ptePfn(pte);
    if (splitHere(cmd) == REQUEST) return REQUEST;
    markAccessed(pte);
    getPage(pfn);
    addExternalRefs(1);
    store<u32>(cmd.a + cmd.b * 4, pfn);
    cmd.b++;
    cmd.cursor += PAGE_SIZE;
  }
  return 0;
}

/** FOLL_SPLIT_PMD: single pages are reached, before they are faulted in for writing. 0 or REQUEST. */
function splitHere(cmd: Cmd): i32 {
  const vma = vmaLookup(mmAt(cmd.mm), cmd.cursor);
  if (!exists(vma) || !(vma.flags & VM_WRITE) || vma.flags & VM_HUGETLB) return 0;
  const pte = readPte(vma.mm.pgd, cmd.cursor);
  return ptePresent(pte) && pteFlags(pte) & PTE_HUGE ? splitMapping(cmd, vma, cmd.cursor) : 0;
}

function dropPage(at: usize, pfn: u32): void {
  store<u32>(at, 0);
  putPage(pfn);
  addExternalRefs(-1);
}

/** Gives back what an operation that is cancelled has reached. */
export function cancelExclusive(cmd: Cmd): void {
  for (let i = cmd.e; i < cmd.b; i++) dropPage(cmd.a + i * 4, load<u32>(cmd.a + i * 4));
}

/**
 * Every mapping of the page becomes a device-exclusive entry, each vma that may have one being told first. With the first
 * page of a large folio go all others, with any other none: that is how Linux 6.12 does it.
 */
function lend(cmd: Cmd, pfn: u32, folio: Folio): i32 {
  const large = folio.has(FOLIO_HEAD);
  let link: usize = cmd.link ? <usize>cmd.link : large ? rmapFirstLarge(folio, 0) : rmapFirst(folio);
  while (link) {
    cmd.link = <u32>link;
    const vma = rmapVma(link, folio);
    const start = large ? partStart(vma, folio.pgoff) : rmapAddress(vma, folio, link);
    const end = large ? partEnd(vma, folio.pgoff) : start + PAGE_SIZE;
    if (!notifyStart(cmd, vma.mmId, start, end, MMU_NOTIFY_EXCLUSIVE, cmd.c)) return REQUEST;
    const first = pfn + <u32>(pgoffOf(vma, start) - folio.pgoff);
    for (let addr = start; addr < end; addr += PAGE_SIZE)
      lendEntry(vma.mm.pgd, addr, first + <u32>((addr - start) >> 12));
    notifyEnd(cmd);
    if (large ? !largeMaps(pfn) : !folio.mapcount) break;
    link = large ? rmapNextLarge(link, folio, 0) : rmapNext(link, folio);
  }
  cmd.link = 0;
  return 0;
}

/** The entry of addr becomes a device-exclusive one, if it maps the page. */
function lendEntry(pgd: usize, addr: u64, pfn: u32): void {
  const slot = walk(pgd, addr);
  const pte: u64 = slot ? load<u64>(slot) : 0;
  if (!pte || !mapsPage(pte, pfn)) return;
  const folio = folioOf(pfn);
  if (pteFlags(pte) & PTE_DIRTY) folio.set(FOLIO_DIRTY);
  store<u64>(slot, makePte(pfn, PTE_KIND_DEVICE_EXCLUSIVE | (pteFlags(pte) & PTE_WRITE)));
  folio.maps--;
}

/** Does the caller's own entry lend the page now, writably? */
function isLent(cmd: Cmd, pfn: u32): bool {
  const pte = readPte(mmAt(cmd.mm).pgd, cmd.start + ((<u64>cmd.e) << 12));
  return pteKind(pte) == PTE_KIND_DEVICE_EXCLUSIVE && ptePfn(pte) == pfn && (pteFlags(pte) & PTE_WRITE) != 0;
}
