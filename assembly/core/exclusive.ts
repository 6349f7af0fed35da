// make_device_exclusive: lends pages to a device for atomic access. The CPU's entry becomes a device-exclusive one, so
// that a CPU access faults and takes the page back, telling the devices first.

import { MMU_NOTIFY_EXCLUSIVE, REQUEST } from "../uapi/event";
import { PAGE_SIZE } from "../uapi/page";
import { PTE_DIRTY, PTE_KIND_DEVICE_EXCLUSIVE, PTE_WRITE } from "../uapi/pte";
import { FOLIO_ANON, FOLIO_DIRTY, FOLIO_LOCKED } from "../uapi/struct";
import { ACCESS_GUP, ACCESS_WRITE } from "../uapi/vm";
import { reach } from "./access";
import { Cmd } from "./cmd";
import { Folio, folioOf } from "./folio";
import { mapsPage } from "./migration";
import { mmAt } from "./mm";
import { notifyEnd, notifyStart } from "./notify";
import { addExternalRefs, getPage, putPage } from "./page-alloc";
import { readPte, walk } from "./pagetable";
import { makePte, pteFlags, pteKind, ptePfn } from "./pte";
import { rmapAddress, rmapFirst, rmapNext, rmapVma } from "./rmap";

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
      if (!folio.has(FOLIO_ANON) || folio.has(FOLIO_LOCKED)) {
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
    const slot = reach(cmd, cmd.cursor, ACCESS_GUP | ACCESS_WRITE);
    if (!slot) return cmd.error == REQUEST || !cmd.b ? cmd.error : 0;
    const pfn = ptePfn(load<u64>(slot));
    getPage(pfn);
    addExternalRefs(1);
    store<u32>(cmd.a + cmd.b * 4, pfn);
    cmd.b++;
    cmd.cursor += PAGE_SIZE;
  }
  return 0;
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

/** Every mapping of the page becomes a device-exclusive entry, each vma that may have one being told first. */
function lend(cmd: Cmd, pfn: u32, folio: Folio): i32 {
  let link: usize = cmd.link ? <usize>cmd.link : rmapFirst(folio);
  while (link) {
    cmd.link = <u32>link;
    const vma = rmapVma(link, folio);
    const addr = rmapAddress(vma, folio, link);
    if (!notifyStart(cmd, vma.mmId, addr, addr + PAGE_SIZE, MMU_NOTIFY_EXCLUSIVE, cmd.c)) return REQUEST;
    const slot = walk(vma.mm.pgd, addr);
    const pte: u64 = slot ? load<u64>(slot) : 0;
    if (pte && mapsPage(pte, pfn)) {
      if (pteFlags(pte) & PTE_DIRTY) folio.set(FOLIO_DIRTY);
      store<u64>(slot, makePte(pfn, PTE_KIND_DEVICE_EXCLUSIVE | (pteFlags(pte) & PTE_WRITE)));
      folio.maps--;
    }
    notifyEnd(cmd);
    if (!folio.mapcount) break;
    link = rmapNext(link, folio);
  }
  cmd.link = 0;
  return 0;
}

/** Does the caller's own entry lend the page now, writably? */
function isLent(cmd: Cmd, pfn: u32): bool {
  const pte = readPte(mmAt(cmd.mm).pgd, cmd.start + (<u64>cmd.e << 12));
  return pteKind(pte) == PTE_KIND_DEVICE_EXCLUSIVE && ptePfn(pte) == pfn && (pteFlags(pte) & PTE_WRITE) != 0;
}
