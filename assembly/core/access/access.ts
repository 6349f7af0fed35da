// Accesses: ranges through the exchange buffer, single words in place, page faults alone, and pins.

import { FOLIO_ANON_EXCLUSIVE, PIN_BIAS } from "../../abi/frame";
import { COMMAND_SIZE, HDR_FAULT_ADDR, HDR_FAULT_CODE, HDR_RESULT, HDR_XBUF, HEADER } from "../../abi/header";
import { REQUEST } from "../../abi/request";
import { EAGAIN, EFAULT, EINVAL, ENOMEM } from "../../uapi/errno";
import { PAGE_SIZE } from "../../uapi/page";
import { PTE_DIRTY, PTE_NO_ACCESS, PTE_PRESENT, PTE_SPECIAL, PTE_WRITE, PTE_YOUNG } from "../../uapi/pte";
import {
  ACCESS_FORCE,
  ACCESS_GUP,
  ACCESS_PIN,
  ACCESS_WRITE,
  FAULT_NONE,
  VM_FAULT_ERROR,
  VM_WRITE,
} from "../../uapi/vm";
import { header, setHeader, setHeaderF64 } from "../base/layout";
import { exists } from "../base/object";
import { pteFlags, ptePfn, ptePresent } from "../base/pte";
import { checkAccess } from "../fault/common";
import { mustUnshare } from "../fault/cow";
import { handleFault } from "../fault/fault";
import { folioOf, frameOf } from "../frame/folio";
import { markFrame } from "../frame/frame";
import { markAccessed } from "../frame/page-alloc";
import { Cmd } from "../operation/cmd";
import { dropCallerRefs, takeRefs } from "../operation/refs";
import { Mm, MM_HAS_PINNED, mmAt } from "../space/mm";
import { growStack } from "../space/stack";
import { Vma, vmaLookup } from "../space/vma";
import { addressOf, leafTable, readPte, slotOf } from "../table/pagetable";
import { bytesInPage, readPage, writePage } from "./bytes";

/** Does the entry allow the access as it is, without a fault? */
function suffices(pte: u64, vma: Vma, flags: u32): bool {
  if (!ptePresent(pte)) return false;
  if ((flags & (ACCESS_WRITE | ACCESS_PIN)) == ACCESS_PIN) return !mustUnshare(pte, vma);
  if (!(flags & ACCESS_WRITE) || pteFlags(pte) & PTE_WRITE) return true;
  // A forced write needs no write bit, but a page that this address space has alone.
  if (!(flags & ACCESS_FORCE) || vma.flags & VM_WRITE || pteFlags(pte) & PTE_SPECIAL) return false;
  return folioOf(ptePfn(pte)).has(FOLIO_ANON_EXCLUSIVE);
}

/**
 * The vma that covers a page; a stack grows down to it, except for get_user_pages. None if there is no such
 * vma.
 */
@inline
function vmaFor(mm: Mm, page: u64, flags: u32): Vma {
  const vma = vmaLookup(mm, page);
  return exists(vma) || flags & ACCESS_GUP ? vma : growStack(mm, page);
}

/**
 * Makes the page of addr accessible, faulting it in where needed. Returns the address of its entry; 0 if the
 * page cannot be accessed now: then cmd.error is what to return, REQUEST, -EAGAIN or -EFAULT, and
 * HDR_FAULT_CODE and HDR_FAULT_ADDR say more.
 */
export function reach(cmd: Cmd, addr: u64, flags: u32): usize {
  const mm = mmAt(cmd.mm);
  const page = addr & ~(PAGE_SIZE - 1);
  while (true) {
    const vma = vmaFor(mm, page, flags);
    if (!cmd.faultPage) {
      const refused = checkAccess(vma, flags);
      if (refused != FAULT_NONE) {
        setHeader(HDR_FAULT_CODE, refused);
        break;
      }
      const table = leafTable(mm.pgd, page);
      const slot = table ? slotOf(table, page) : 0;
      if (slot && suffices(load<u64>(slot), vma, flags)) return slot;
    }
    const result = handleFault(cmd, vma, page, flags);
    if (result == REQUEST || result == -EAGAIN) {
      setHeaderF64(HDR_FAULT_ADDR, page);
      cmd.error = result;
      return 0;
    }
    if (result & VM_FAULT_ERROR) break;
  }
  setHeaderF64(HDR_FAULT_ADDR, page);
  cmd.error = -EFAULT;
  return 0;
}

/** OP_ACCESS: bytes [start, end) through the exchange buffer. OP_FAULT: the page at start. */
@unmanaged
export class AccessCmd extends Cmd {
  /** ACCESS_*. */
  flags: u32;
}

/** OP_PIN: the pages of [start, end). */
@unmanaged
export class PinCmd extends AccessCmd {
  /** The address of u32[]: the pfns of the pages pinned so far. */
  out: u32;
}

if (<i32>offsetof<AccessCmd>() > COMMAND_SIZE) ERROR("AccessCmd");
if (<i32>offsetof<PinCmd>() > COMMAND_SIZE) ERROR("PinCmd");

/** OP_ACCESS: copies a page's part at a time. Returns the bytes copied, or the first page's error. */
export function accessStep(cmd: AccessCmd): i32 {
  const buffer: usize = header(HDR_XBUF);
  while (cmd.cursor < cmd.end) {
    const slot = reach(cmd, cmd.cursor, cmd.flags);
    if (!slot) {
      if (cmd.error == REQUEST) return REQUEST;
      return cmd.cursor > cmd.start ? <i32>(cmd.cursor - cmd.start) : cmd.error;
    }
    const pte = load<u64>(slot);
    if (cmd.flags & ACCESS_FORCE) markAccessed(pte);
    const length = bytesInPage(cmd.cursor, <usize>(cmd.end - cmd.cursor));
    const outside = buffer + <usize>(cmd.cursor - cmd.start);
    if (cmd.flags & ACCESS_WRITE) {
      store<u64>(slot, pte | PTE_YOUNG | PTE_DIRTY);
      // The entries of memory without pages name the zero page: what is written there is lost.
      if (!(pteFlags(pte) & PTE_SPECIAL)) writePage(ptePfn(pte), cmd.cursor, outside, length);
    } else {
      store<u64>(slot, pte | PTE_YOUNG);
      readPage(ptePfn(pte), cmd.cursor, outside, length);
    }
    cmd.cursor += length;
  }
  return <i32>(cmd.end - cmd.start);
}

/** OP_FAULT: faults one page in. Returns what handleFault() returns. */
export function faultStep(cmd: AccessCmd): i32 {
  const mm = mmAt(cmd.mm);
  const vma = vmaFor(mm, cmd.start, cmd.flags);
  if (!cmd.faultPage) {
    const refused = checkAccess(vma, cmd.flags);
    if (refused != FAULT_NONE) {
      setHeader(HDR_FAULT_CODE, refused);
      setHeaderF64(HDR_FAULT_ADDR, cmd.start);
      return -EFAULT;
    }
  }
  const result = handleFault(cmd, vma, cmd.start, cmd.flags);
  if (result != REQUEST) setHeaderF64(HDR_FAULT_ADDR, cmd.start);
  return result;
}

/** How many references a pin takes. */
@inline
function pinRefs(flags: u32): u32 {
  return flags & ACCESS_PIN ? PIN_BIAS : 1;
}

/** OP_PIN: takes a reference on each page. Returns the pages pinned, or the first page's error. */
export function pinStep(cmd: PinCmd): i32 {
  while (cmd.cursor < cmd.end) {
    const n = <u32>((cmd.cursor - cmd.start) >> 12);
    const slot = reach(cmd, cmd.cursor, cmd.flags);
    if (!slot) {
      if (cmd.error == REQUEST) return REQUEST;
      return n ? n : cmd.error;
    }
    const pte = load<u64>(slot);
    const pfn = ptePfn(pte);
    markAccessed(pte);
    if (!takeRefs(pfn, pinRefs(cmd.flags))) return n ? n : -ENOMEM;
    if (cmd.flags & ACCESS_PIN) mmAt(cmd.mm).flags |= MM_HAS_PINNED;
    store<u32>(cmd.out + n * 4, pfn);
    cmd.cursor += PAGE_SIZE;
  }
  return <i32>((cmd.end - cmd.start) >> 12);
}

/** Drops the references that a pin has taken when it is cancelled. */
export function cancelPin(cmd: PinCmd): void {
  unpin(cmd.out, <u32>((cmd.cursor - cmd.start) >> 12), cmd.flags);
}

/**
 * unpin_user_pages: drops what a pin with these ACCESS_* flags took on each of n pfns (u32 each). -EINVAL if
 * somebody else has dropped it from one of them before, and HDR_FAULT_ADDR is the page; the others are
 * dropped all the same.
 */
export function unpin(pfns: usize, n: u32, flags: u32): i32 {
  let result: i32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const pfn = load<u32>(pfns + i * 4);
    if (dropCallerRefs(pfn, pinRefs(flags))) continue;
    setHeaderF64(HDR_FAULT_ADDR, pfn);
    result = -EINVAL;
  }
  return result;
}

/**
 * Loads a word through a readable entry, without a command. `addr` is a multiple of 4 below 2^52. -1 if the
 * load would fault, or pages have no contents.
 */
export function load32(mmId: u32, addr: f64): f64 {
  const at = addressOf(addr);
  const table = leafTable(mmAt(mmId).pgd, at);
  if (!table) return -1;
  const slot = slotOf(table, at);
  const pte = load<u64>(slot);
  const readable = (pteFlags(pte) & ((<u32>PTE_PRESENT) | PTE_NO_ACCESS)) == <u32>PTE_PRESENT;
  if (!readable || !frameOf(0)) return -1;
  if (!(pteFlags(pte) & PTE_YOUNG)) store<u64>(slot, pte | PTE_YOUNG);
  return <f64>load<u32>(frameOf(ptePfn(pte)) + ((<usize>at) & (PAGE_SIZE - 1)));
}

/**
 * Stores a word through a writable entry, without a command. 0 if the store would fault, or pages have no
 * contents.
 */
export function store32(mmId: u32, addr: f64, value: u32): i32 {
  const at = addressOf(addr);
  const table = leafTable(mmAt(mmId).pgd, at);
  if (!table) return 0;
  const slot = slotOf(table, at);
  const pte = load<u64>(slot);
  if ((pteFlags(pte) & (PTE_WRITE | PTE_SPECIAL)) != PTE_WRITE || !ptePresent(pte) || !frameOf(0)) return 0;
  const used = PTE_YOUNG | PTE_DIRTY;
  if ((pteFlags(pte) & used) != used) store<u64>(slot, pte | used);
  markFrame(ptePfn(pte));
  store<u32>(frameOf(ptePfn(pte)) + ((<usize>at) & (PAGE_SIZE - 1)), value);
  return 1;
}

/** Returns the low word of addr's entry, 0 where there is none; its pfn is HDR_RESULT. */
export function lookupPte(mmId: u32, addr: f64): u32 {
  const pte = readPte(mmAt(mmId).pgd, <u64>addr);
  store<f64>(HEADER + HDR_RESULT, <f64>(pte >> 32));
  return pteFlags(pte);
}
