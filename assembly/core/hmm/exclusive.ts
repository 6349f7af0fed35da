// make_device_exclusive: gives a device exclusive access to pages, for atomic operations. The CPU's entries
// become device-exclusive ones, so that a CPU access faults; the fault handler restores them, after telling
// the devices.

import {
  FOLIO_ANON,
  FOLIO_DIRTY,
  FOLIO_HEAD,
  FOLIO_LOCKED,
  FOLIO_RESERVED,
  FOLIO_TAIL,
} from "../../abi/frame";
import { COMMAND_SIZE, HDR_FAULT_CODE } from "../../abi/header";
import { REQUEST } from "../../abi/request";
import { EBUSY, EOPNOTSUPP } from "../../uapi/errno";
import { MMU_NOTIFY_EXCLUSIVE } from "../../uapi/event";
import { PAGE_SIZE } from "../../uapi/page";
import { PTE_HUGE, PTE_KIND_DEVICE_EXCLUSIVE, PTE_WRITE } from "../../uapi/pte";
import { ACCESS_GUP, ACCESS_WRITE, FAULT_NONE, VM_HUGETLB, VM_WRITE } from "../../uapi/vm";
import { reach } from "../access/access";
import { LARGE_PAGES, setHeader } from "../base/layout";
import { exists } from "../base/object";
import { makePte, pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { exclusiveGoesPageByPage, exclusiveStaysMapped } from "../base/rules";
import { mustWait } from "../fault/common";
import { Folio, folioOf } from "../frame/folio";
import { addExternalRefs, getPage, markAccessed } from "../frame/page-alloc";
import { Cmd } from "../operation/cmd";
import { notifyEnd, notifyStart } from "../operation/notify";
import { dropCallerRefs } from "../operation/refs";
import { splitMapping } from "../operation/split";
import { firstMapping, firstPart, nextMapping, nextPart } from "../operation/tell";
import { mapsPage } from "../space/migration";
import { mmAt } from "../space/mm";
import { partEnd, partStart } from "../space/rmap";
import { pgoffOf, vmaAt, vmaLookup } from "../space/vma";
import { readPte, walk } from "../table/pagetable";

/** OP_EXCLUSIVE: the pages of [start, end). */
@unmanaged
export class ExclusiveCmd extends Cmd {
  /** The address of u32[], a pfn for each page reached; 0 where the page could not be made exclusive. */
  out: u32;
  /** The device's owner, so that its subscribers recognize the event as their own. */
  owner: u32;
  /** Pages reached, each with a reference. */
  reached: u32;
  /** The page of those that is being made exclusive. */
  index: u32;
}

if (<i32>offsetof<ExclusiveCmd>() > COMMAND_SIZE) ERROR("ExclusiveCmd");

/** cmd.phase of OP_EXCLUSIVE. */
const PHASE_REACH: u32 = 0;
const PHASE_CONVERT: u32 = 1;

/**
 * OP_EXCLUSIVE: faults pages in for writing, up to the first that cannot be, and takes a reference on each;
 * then makes each exclusive to the device. The caller owns the lock and that reference of each page whose pfn
 * is in the array at the end. Returns the pages reached, or the error of the first.
 */
export function exclusiveStep(cmd: ExclusiveCmd): i32 {
  if (exclusiveGoesPageByPage()) return takePageByPage(cmd);
  if (cmd.phase == PHASE_REACH) {
    const refused = reachAll(cmd);
    if (refused) return refused;
    cmd.phase = PHASE_CONVERT;
  }
  for (; cmd.index < cmd.reached; cmd.index++) {
    const at: usize = cmd.out + cmd.index * 4;
    const pfn = load<u32>(at);
    const folio = folioOf(pfn);
    if (!cmd.link) {
      if (!folio.has(FOLIO_ANON) || folio.has(FOLIO_LOCKED | FOLIO_TAIL | FOLIO_RESERVED)) {
        dropPage(at, pfn);
        continue;
      }
      folio.set(FOLIO_LOCKED);
    }
    if (convert(cmd, pfn, folio) == REQUEST) return REQUEST;
    if (!isExclusive(cmd, pfn)) {
      folio.clear(FOLIO_LOCKED);
      dropPage(at, pfn);
    }
  }
  return cmd.reached;
}

/**
 * Reaches pages up to the first that cannot be: cmd.reached of them. 0, REQUEST, or the error of the first.
 */
function reachAll(cmd: ExclusiveCmd): i32 {
  while (cmd.cursor < cmd.end) {
    // A device page that is being brought back keeps its huge mapping until the fault is over.
    if (!cmd.faultPage && splitHere(cmd) == REQUEST) return REQUEST;
    const slot = reach(cmd, cmd.cursor, ACCESS_GUP | ACCESS_WRITE);
    if (!slot) return cmd.error == REQUEST || !cmd.reached ? cmd.error : 0;
    const pte = load<u64>(slot);
    const pfn = ptePfn(pte);
    if (splitHere(cmd) == REQUEST) return REQUEST;
    markAccessed(pte);
    getPage(pfn);
    addExternalRefs(1);
    store<u32>(cmd.out + cmd.reached * 4, pfn);
    cmd.reached++;
    cmd.cursor += PAGE_SIZE;
  }
  return 0;
}

/**
 * OP_EXCLUSIVE in Linux 7.3: reaches a page and makes it exclusive before it looks at the next. Returns the
 * pages before the first that fails, or the error of the first.
 */
function takePageByPage(cmd: ExclusiveCmd): i32 {
  while (cmd.cursor < cmd.end) {
    const at: usize = cmd.out + cmd.reached * 4;
    if (cmd.phase == PHASE_REACH) {
      const refused = reachPage(cmd, at);
      if (refused == REQUEST) return REQUEST;
      if (refused) return cmd.reached ? cmd.reached : refused;
      cmd.phase = PHASE_CONVERT;
    }
    if (!notifyStart(cmd, cmd.mm, cmd.cursor, cmd.cursor + PAGE_SIZE, MMU_NOTIFY_EXCLUSIVE, cmd.owner))
      return REQUEST;
    const pfn = load<u32>(at);
    const slot = walk(mmAt(cmd.mm).pgd, cmd.cursor);
    const pte: u64 = slot ? load<u64>(slot) : 0;
    // A callback may have changed the entry.
    const taken = ptePresent(pte) && ptePfn(pte) == pfn && (pteFlags(pte) & PTE_WRITE) != 0;
    if (taken) convertEntry(slot, pfn);
    notifyEnd(cmd);
    cmd.phase = PHASE_REACH;
    if (!taken) {
      folioOf(pfn).clear(FOLIO_LOCKED);
      dropPage(at, pfn);
      return cmd.reached ? cmd.reached : -EBUSY;
    }
    cmd.reached++;
    cmd.cursor += PAGE_SIZE;
  }
  return cmd.reached;
}

/**
 * Reaches the page at the cursor, and locks it with a reference; its pfn goes to `at`. 0, REQUEST or a
 * negative errno.
 */
function reachPage(cmd: ExclusiveCmd, at: usize): i32 {
  if (!cmd.faultPage && splitHere(cmd) == REQUEST) return REQUEST;
  const slot = reach(cmd, cmd.cursor, ACCESS_GUP | ACCESS_WRITE);
  if (!slot) return cmd.error;
  const pte = load<u64>(slot);
  const pfn = ptePfn(pte);
  if (splitHere(cmd) == REQUEST) return REQUEST;
  markAccessed(pte);
  const folio = folioOf(pfn);
  if (!folio.has(FOLIO_ANON) || folio.has(FOLIO_RESERVED)) {
    setHeader(HDR_FAULT_CODE, FAULT_NONE);
    return -EOPNOTSUPP;
  }
  if (folio.has(FOLIO_LOCKED)) return mustWait(pfn);
  folio.set(FOLIO_LOCKED);
  getPage(pfn);
  addExternalRefs(1);
  store<u32>(at, pfn);
  return 0;
}

/** FOLL_SPLIT_PMD: splits a huge mapping of a writable vma before its page is reached. 0 or REQUEST. */
function splitHere(cmd: ExclusiveCmd): i32 {
  const vma = vmaLookup(mmAt(cmd.mm), cmd.cursor);
  if (!exists(vma) || !(vma.flags & VM_WRITE) || vma.flags & VM_HUGETLB) return 0;
  const pte = readPte(vma.mm.pgd, cmd.cursor);
  return ptePresent(pte) && pteFlags(pte) & PTE_HUGE ? splitMapping(cmd, vma, cmd.cursor) : 0;
}

/** Drops the reference of a page that does not become exclusive, and clears its pfn in the array. */
function dropPage(at: usize, pfn: u32): void {
  store<u32>(at, 0);
  dropCallerRefs(pfn, 1);
}

/**
 * Drops the pages of a cancelled operation that it has reached and not made exclusive; those that it has made
 * exclusive one by one stay so, without the caller's lock.
 */
export function cancelExclusive(cmd: ExclusiveCmd): void {
  if (exclusiveGoesPageByPage())
    for (let i: u32 = 0; i < cmd.reached; i++) folioOf(load<u32>(cmd.out + i * 4)).clear(FOLIO_LOCKED);
  for (let i = cmd.index; i < cmd.reached; i++) dropPage(cmd.out + i * 4, load<u32>(cmd.out + i * 4));
}

/**
 * Makes every entry that maps the page a device-exclusive one. The first page of a large folio takes all
 * other pages along, any other page none: that is how Linux 6.12 does it. 0 or REQUEST.
 */
function convert(cmd: ExclusiveCmd, pfn: u32, folio: Folio): i32 {
  if (folio.has(FOLIO_HEAD)) return convertLarge(cmd, pfn, folio);
  let slot = firstMapping(cmd, pfn, folio, MMU_NOTIFY_EXCLUSIVE, cmd.owner);
  for (; slot; slot = nextMapping(cmd, pfn, folio, MMU_NOTIFY_EXCLUSIVE, cmd.owner)) {
    if (slot == REQUEST) return REQUEST;
    convertEntry(slot, pfn);
  }
  return 0;
}

/** convert() of all pages of a large folio. 0 or REQUEST. */
function convertLarge(cmd: ExclusiveCmd, head: u32, folio: Folio): i32 {
  let told = firstPart(cmd, head, MMU_NOTIFY_EXCLUSIVE, cmd.owner);
  for (; told; told = nextPart(cmd, head, MMU_NOTIFY_EXCLUSIVE, cmd.owner)) {
    if (told == REQUEST) return REQUEST;
    const vma = vmaAt(<u32>told);
    const end = partEnd(vma, folio.pgoff, LARGE_PAGES);
    let addr = partStart(vma, folio.pgoff);
    let pfn = head + <u32>(pgoffOf(vma, addr) - folio.pgoff);
    for (; addr < end; addr += PAGE_SIZE, pfn++) {
      const slot = walk(vma.mm.pgd, addr);
      if (slot && mapsPage(load<u64>(slot), pfn)) convertEntry(slot, pfn);
    }
  }
  return 0;
}

/** The entry at `slot`, which maps the page, becomes a device-exclusive one. */
function convertEntry(slot: usize, pfn: u32): void {
  const pte = load<u64>(slot);
  const folio = folioOf(pfn);
  folio.set(FOLIO_DIRTY); // the page was reached for writing
  store<u64>(slot, makePte(pfn, PTE_KIND_DEVICE_EXCLUSIVE | (pteFlags(pte) & PTE_WRITE)));
  if (!exclusiveStaysMapped()) folio.maps--;
}

/** Is the caller's own entry device-exclusive for this page, and writable? */
function isExclusive(cmd: ExclusiveCmd, pfn: u32): bool {
  const pte = readPte(mmAt(cmd.mm).pgd, cmd.start + ((<u64>cmd.index) << 12));
  return pteKind(pte) == PTE_KIND_DEVICE_EXCLUSIVE && ptePfn(pte) == pfn && (pteFlags(pte) & PTE_WRITE) != 0;
}
