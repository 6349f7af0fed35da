// mprotect: changes the flags of mappings, then the write bits of their entries.

import { FOLIO_ANON, FOLIO_ANON_EXCLUSIVE, FOLIO_SHMEM } from "../../abi/frame";
import { COMMAND_SIZE } from "../../abi/header";
import { REQUEST } from "../../abi/request";
import { EACCES, EINVAL, ENOMEM } from "../../uapi/errno";
import { MMU_NOTIFY_PROTECTION_VMA } from "../../uapi/event";
import { PUD_SHIFT } from "../../uapi/page";
import {
  PTE_DIRTY,
  PTE_EXCLUSIVE,
  PTE_KIND_DEVICE,
  PTE_KIND_DEVICE_EXCLUSIVE,
  PTE_KIND_MIGRATION,
  PTE_NO_ACCESS,
  PTE_SPECIAL,
  PTE_WRITE,
} from "../../uapi/pte";
import { VM_ACCESS, VM_ACCOUNT, VM_HUGETLB, VM_LOCKED, VM_SHARED, VM_WRITE } from "../../uapi/vm";
import { populateLocked } from "../access/populate";
import { exists } from "../base/object";
import { pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { folioOf } from "../frame/folio";
import { Cmd } from "../operation/cmd";
import { notifyEnd, notifyStart } from "../operation/notify";
import { cutsHugetlb, splitEdges } from "../operation/split";
import { vmaModify } from "../space/merge";
import { Mm, mmAt } from "../space/mm";
import { isAnonymous, protection, Vma, vmaLookup } from "../space/vma";
import { hasPmdTable, leafTable, slotOf, slotsEnd, spanEnd } from "../table/pagetable";

/** May a present entry of a writable vma be writable: does no first write have to be noticed by a fault? */
function mayBeWritable(pte: u64, vma: Vma): bool {
  // Like hugetlb_change_protection: a hugetlb entry gets its write bit back by a fault only.
  if (pteFlags(pte) & PTE_SPECIAL || vma.flags & VM_HUGETLB) return false;
  const folio = folioOf(ptePfn(pte));
  if (!(vma.flags & VM_SHARED)) return folio.has(FOLIO_ANON_EXCLUSIVE);
  // A disk file must hear of the first write to a clean page.
  return folio.has(FOLIO_SHMEM) || (pteFlags(pte) & PTE_DIRTY) != 0;
}

/** The entry after its vma's protection changed, but for PTE_NO_ACCESS. */
@inline
function changedPte(pte: u64, vma: Vma): u64 {
  if (ptePresent(pte)) {
    return vma.flags & VM_WRITE && mayBeWritable(pte, vma) ? pte | PTE_WRITE : pte & ~(<u64>PTE_WRITE);
  }
  // An entry that is not present may lose its write bit, and gets it back by a fault only.
  const kind = pteKind(pte);
  if (!(pteFlags(pte) & PTE_WRITE)) return pte;
  if (kind == PTE_KIND_MIGRATION) {
    const anon = folioOf(ptePfn(pte)).has(FOLIO_ANON);
    return (pte & ~(<u64>PTE_WRITE)) | (anon ? PTE_EXCLUSIVE : 0);
  }
  if (kind == PTE_KIND_DEVICE || kind == PTE_KIND_DEVICE_EXCLUSIVE) return pte & ~(<u64>PTE_WRITE);
  return pte;
}

/**
 * Present entries from `at` on that lose the right to write, four at a time: nothing has to be looked up for
 * that. Returns where the run of them ends, or fewer than four are left.
 */
@inline
function dropWrite(at: usize, last: usize, bits: u32): usize {
  const keep = i64x2.splat(~((<i64>PTE_WRITE) | (<i64>PTE_NO_ACCESS)));
  const set = i64x2.splat(<i64>bits);
  for (; at + 32 <= last; at += 32) {
    const low = v128.load(at);
    const high = v128.load(at, 16);
    if ((i32x4.bitmask(v128.and(low, high)) & 5) != 5) break; // PTE_PRESENT of all four
    v128.store(at, v128.or(v128.and(low, keep), set));
    v128.store(at, v128.or(v128.and(high, keep), set), 16);
  }
  return at;
}

/** change_protection: gives the entries of [start, end) what the flags of their vma allow. */
function changeEntries(mm: Mm, vma: Vma, start: u64, end: u64): void {
  let next = start;
  while (next < end) {
    const addr = next;
    const table = leafTable(mm.pgd, addr);
    next = spanEnd(mm.pgd, table, addr, end);
    if (!table) continue;
    const last = slotsEnd(table, addr, next);
    for (let at = slotOf(table, addr); at < last; at += 8) {
      if (!(vma.flags & VM_WRITE)) {
        at = dropWrite(at, last, protection(vma));
        if (at == last) break;
      }
      const pte = load<u64>(at);
      if (pte) store<u64>(at, (changedPte(pte, vma) & ~(<u64>PTE_NO_ACCESS)) | protection(vma));
    }
  }
}

/** The address of the first page tables in [start, end), to 1 GiB; `end` if there are none. */
function firstPopulated(mm: Mm, start: u64, end: u64): u64 {
  let addr = start;
  while (addr < end && !hasPmdTable(mm.pgd, addr)) addr = max(((addr >> PUD_SHIFT) + 1) << PUD_SHIFT, addr);
  return min(addr, end);
}

/**
 * The flags of a vma under another protection, with VM_ACCOUNT where its pages come to count as committed.
 */
function newFlags(vma: Vma, prot: u32): u32 {
  let flags = (vma.flags & ~VM_ACCESS) | prot;
  if (flags & VM_WRITE) {
    if (!(vma.flags & (VM_ACCOUNT | VM_WRITE | VM_SHARED))) flags |= VM_ACCOUNT;
  } else if (vma.flags & VM_ACCOUNT && isAnonymous(vma) && !vma.anonVma) {
    flags &= ~VM_ACCOUNT;
  }
  return flags;
}

/**
 * OP_MPROTECT: [start, end), a piece (one vma's part of it) at a time; the piece at hand is [cursor,
 * pieceEnd).
 */
@unmanaged
export class MprotectCmd extends Cmd {
  pieceEnd: u64;
  /** PROT_*, which are VM_READ, VM_WRITE and VM_EXEC. */
  prot: u32;
  /** The flags that the piece's vma had before. */
  oldFlags: u32;
}

if (<i32>offsetof<MprotectCmd>() > COMMAND_SIZE) ERROR("MprotectCmd");

/**
 * cmd.phase of OP_MPROTECT: the vma is next, its entries, or populating what is locked and has become
 * writable.
 */
const PHASE_VMA: u32 = 0;
const PHASE_ENTRIES: u32 = 1;
const PHASE_POPULATE: u32 = 2;

/** OP_MPROTECT: for each piece, changes the vma, then its entries under a `prot_vma` window. */
export function mprotectStep(cmd: MprotectCmd): i32 {
  const mm = mmAt(cmd.mm);
  while (true) {
    if (cmd.phase == PHASE_VMA) {
      if (cmd.cursor >= cmd.end) return 0;
      const result = beginPiece(cmd, mm);
      if (result < 0 || result == REQUEST) return result;
      if (!result) continue;
    }
    if (cmd.phase == PHASE_ENTRIES) {
      const vma = vmaLookup(mm, cmd.cursor);
      const from = firstPopulated(mm, cmd.cursor, cmd.pieceEnd);
      if (from < cmd.pieceEnd) {
        if (!notifyStart(cmd, cmd.mm, from, cmd.pieceEnd, MMU_NOTIFY_PROTECTION_VMA, 0)) return REQUEST;
        changeEntries(mm, vma, from, cmd.pieceEnd);
        notifyEnd(cmd);
      }
      const populate =
        (cmd.oldFlags & (VM_WRITE | VM_SHARED | VM_LOCKED)) == VM_LOCKED && vma.flags & VM_WRITE;
      if (populate) cmd.phase = PHASE_POPULATE;
      else endPiece(cmd);
    }
    if (cmd.phase == PHASE_POPULATE) {
      // A page that cannot be populated is left for its fault.
      if (populateLocked(cmd, cmd.cursor, cmd.pieceEnd) == REQUEST) return REQUEST;
      endPiece(cmd);
    }
  }
}

/** Goes on to the next piece, which begins where this one ends. */
function endPiece(cmd: MprotectCmd): void {
  cmd.cursor = cmd.pieceEnd;
  cmd.phase = PHASE_VMA;
}

/**
 * Gives the piece at cmd.cursor its new flags. 1: its entries are next; 0: nothing to change; a negative
 * errno or REQUEST.
 */
function beginPiece(cmd: MprotectCmd, mm: Mm): i32 {
  const vma = vmaLookup(mm, cmd.cursor);
  if (!exists(vma)) return -ENOMEM;
  const end = min(vma.end, cmd.end);
  if (((vma.flags & ~VM_ACCESS) | cmd.prot) == vma.flags) {
    cmd.cursor = end;
    return 0;
  }
  const flags = newFlags(vma, cmd.prot);
  if (flags & ~(flags >> 4) & VM_ACCESS) return -EACCES;
  if (cutsHugetlb(vma, cmd.cursor | end)) return -EINVAL;
  if (splitEdges(cmd, vma, cmd.cursor, end) == REQUEST) return REQUEST;
  cmd.edges = 0;
  cmd.oldFlags = vma.flags;
  cmd.pieceEnd = end;
  if (!exists(vmaModify(mm, vma, cmd.cursor, end, flags))) return -ENOMEM;
  cmd.phase = PHASE_ENTRIES;
  return 1;
}
