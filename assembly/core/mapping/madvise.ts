// madvise: advice that drops, populates, marks, moves to swap space, collapses or merges.

import {
  FOLIO_ANON,
  FOLIO_DIRTY,
  FOLIO_LAZYFREE,
  FOLIO_LOCKED,
  FOLIO_LRU,
  FOLIO_REFERENCED,
  FOLIO_SWAP_CACHE,
} from "../../abi/frame";
import { COMMAND_SIZE } from "../../abi/header";
import { REQUEST } from "../../abi/request";
import { EACCES, EINVAL, ENOMEM } from "../../uapi/errno";
import { MMU_NOTIFY_CLEAR } from "../../uapi/event";
import { PTE_DIRTY, PTE_KIND_SWAP, PTE_SPECIAL, PTE_YOUNG } from "../../uapi/pte";
import {
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DOFORK,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_KEEPONFORK,
  MADV_MERGEABLE,
  MADV_NOHUGEPAGE,
  MADV_NORMAL,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_RANDOM,
  MADV_REMOVE,
  MADV_SEQUENTIAL,
  MADV_UNMERGEABLE,
  MADV_WILLNEED,
  MADV_WIPEONFORK,
  VM_DONTCOPY,
  VM_HUGEPAGE,
  VM_HUGETLB,
  VM_IO,
  VM_LOCKED,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_MERGEABLE,
  VM_NOHUGEPAGE,
  VM_PFNMAP,
  VM_RAND_READ,
  VM_SEQ_READ,
  VM_SHARED,
  VM_SPECIAL,
  VM_WIPEONFORK,
} from "../../uapi/vm";
import { populateRange } from "../access/populate";
import { exists } from "../base/object";
import { pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { freeMarksPages } from "../base/rules";
import { folioOf, isDevicePfn } from "../frame/folio";
import { drainUnlocked } from "../frame/unlocked";
import { breakKsm, ksmEnter } from "../ksm/ksm";
import { notifyEnd, notifyStart } from "../operation/notify";
import { cutsHugetlb, splitEdges, splitLarge, splitPartial } from "../operation/split";
import { fileAt } from "../space/file";
import { vmaModify } from "../space/merge";
import { Mm, mmAt } from "../space/mm";
import { freeSwap } from "../space/swap";
import { isAnonymous, pgoffOf, Vma } from "../space/vma";
import { zapPte, zapRange } from "../space/zap";
import { HUGE_MASK } from "../table/huge";
import { leafTable, slotOf, slotsEnd, spanEnd } from "../table/pagetable";
import { collapseRange, CollapseState } from "./collapse";
import { pageOut, PageoutState, swapAhead } from "./pageout";
import { nextPiece, PiecesCmd } from "./pieces";
import { punchHole } from "./truncate";

/** Mappings whose pages do not age (can_madv_lru_vma refuses them). */
const NO_LRU: u32 = VM_LOCKED | VM_PFNMAP | VM_HUGETLB;
/** Mappings that KSM silently leaves alone. */
const NEVER_MERGED: u32 = VM_SHARED | VM_MAYSHARE | VM_SPECIAL | VM_HUGETLB;
/** The advice that is built, a bit each. */
const BUILT: u32 =
  (1 << MADV_NORMAL) |
  (1 << MADV_RANDOM) |
  (1 << MADV_SEQUENTIAL) |
  (1 << MADV_WILLNEED) |
  (1 << MADV_DONTNEED) |
  (1 << MADV_FREE) |
  (1 << MADV_REMOVE) |
  (1 << MADV_DONTFORK) |
  (1 << MADV_DOFORK) |
  (1 << MADV_MERGEABLE) |
  (1 << MADV_UNMERGEABLE) |
  (1 << MADV_HUGEPAGE) |
  (1 << MADV_NOHUGEPAGE) |
  (1 << MADV_WIPEONFORK) |
  (1 << MADV_KEEPONFORK) |
  (1 << MADV_COLD) |
  (1 << MADV_PAGEOUT) |
  (1 << MADV_POPULATE_READ) |
  (1 << MADV_POPULATE_WRITE) |
  (1 << MADV_COLLAPSE);

/** advisedFlags() of advice that a vma cannot be given. */
const REFUSED: u32 = 0xffffffff;

/** OP_MADVISE of [start, end), a piece at a time. */
@unmanaged
export class MadviseCmd extends PiecesCmd {
  /** MADV_*. */
  advice: u32;

  /** MADV_PAGEOUT: the state of pageOut(), after the fields above. */
  @inline get pageout(): PageoutState {
    return changetype<PageoutState>(changetype<usize>(this) + offsetof<MadviseCmd>());
  }

  /** MADV_COLLAPSE: the state of collapseRange(), in the same place. */
  @inline get collapse(): CollapseState {
    return changetype<CollapseState>(changetype<usize>(this) + offsetof<MadviseCmd>());
  }
}

if (<i32>(offsetof<MadviseCmd>() + offsetof<PageoutState>()) > COMMAND_SIZE) ERROR("PageoutState");
if (<i32>(offsetof<MadviseCmd>() + offsetof<CollapseState>()) > COMMAND_SIZE) ERROR("CollapseState");

/** OP_MADVISE: gives the advice to each piece. -ENOMEM at the end if a part of the range is not mapped. */
export function madviseStep(cmd: MadviseCmd): i32 {
  if (!isAdvice(cmd.advice)) return -EINVAL;
  if (cmd.advice == MADV_POPULATE_READ) return populateRange(cmd, cmd.start, cmd.end, false);
  if (cmd.advice == MADV_POPULATE_WRITE) return populateRange(cmd, cmd.start, cmd.end, true);
  const mm = mmAt(cmd.mm);
  for (let vma = nextPiece(cmd); exists(vma); vma = nextPiece(cmd)) {
    const end = min(vma.end, cmd.end);
    const result = advise(cmd, mm, vma, cmd.cursor, end);
    if (result) return result;
    cmd.cursor = end;
  }
  return cmd.holeMet ? -ENOMEM : 0;
}

/**
 * madvise_behavior_valid: is this advice that is built? An unknown one is refused before the range is looked
 * at.
 */
function isAdvice(advice: u32): bool {
  return advice < 32 && ((BUILT >> advice) & 1) != 0;
}

/** Gives the advice to one piece, [start, end) of vma. 0, a negative errno or REQUEST. */
function advise(cmd: MadviseCmd, mm: Mm, vma: Vma, start: u64, end: u64): i32 {
  switch (cmd.advice) {
    case MADV_DONTNEED:
    case MADV_FREE:
      return drop(cmd, mm, vma, start, end);
    case MADV_COLD: {
      if (vma.flags & NO_LRU) return -EINVAL;
      drainUnlocked();
      if (splitLarge(cmd, vma, start, end) == REQUEST) return REQUEST;
      clearFlags(mm, start, end, PTE_YOUNG);
      return 0;
    }
    case MADV_PAGEOUT:
      if (vma.flags & NO_LRU) return -EINVAL;
      drainUnlocked();
      return pageOut(cmd, cmd.pageout, start, end);
    case MADV_COLLAPSE:
      drainUnlocked();
      return collapseRange(cmd, cmd.collapse, vma, start, end);
    case MADV_WILLNEED: {
      swapAhead(mm, start, end);
      return 0;
    }
    case MADV_REMOVE: {
      if (vma.flags & VM_LOCKED || !vma.file) return -EINVAL;
      if ((vma.flags & (VM_SHARED | VM_MAYWRITE)) != (VM_SHARED | VM_MAYWRITE)) return -EACCES;
      return punchHole(cmd, fileAt(vma.file), pgoffOf(vma, start) << 12, pgoffOf(vma, end) << 12);
    }
  }
  return mark(cmd, mm, vma, start, end);
}

/**
 * MADV_DONTNEED drops the pages of a piece; MADV_FREE marks them clean and old, and drops what is swapped.
 */
function drop(cmd: MadviseCmd, mm: Mm, vma: Vma, start: u64, end: u64): i32 {
  const dropping = cmd.advice == MADV_DONTNEED;
  if (vma.flags & (VM_LOCKED | VM_PFNMAP)) return -EINVAL;
  if (!dropping && !isAnonymous(vma)) return -EINVAL;
  if (vma.flags & VM_HUGETLB) {
    // Whole huge pages only; one that the range ends in stays.
    if (start & HUGE_MASK) return -EINVAL;
    end &= ~HUGE_MASK;
    if (end <= start) return 0;
  }
  drainUnlocked();
  if (!notifyStart(cmd, cmd.mm, start, end, MMU_NOTIFY_CLEAR, 0)) return REQUEST;
  if ((dropping ? splitPartial(cmd, vma, start, end) : splitLarge(cmd, vma, start, end)) == REQUEST)
    return REQUEST;
  if (dropping) zapRange(mm, start, end, true);
  else clearFlags(mm, start, end, PTE_YOUNG | PTE_DIRTY);
  notifyEnd(cmd);
  return 0;
}

/** Advice that changes the flags of a piece's vma. */
function mark(cmd: MadviseCmd, mm: Mm, vma: Vma, start: u64, end: u64): i32 {
  if (cmd.advice == MADV_MERGEABLE && !(vma.flags & NEVER_MERGED)) ksmEnter(mm);
  if (cmd.advice == MADV_UNMERGEABLE && vma.flags & VM_MERGEABLE) {
    const result = breakKsm(cmd, vma, start, end);
    if (result) return result;
  }
  const flags = advisedFlags(vma, cmd.advice);
  if (flags == REFUSED) return -EINVAL;
  if (flags == vma.flags) return 0;
  if (cutsHugetlb(vma, start | end)) return -EINVAL;
  if (splitEdges(cmd, vma, start, end) == REQUEST) return REQUEST;
  cmd.edges = 0;
  return exists(vmaModify(mm, vma, start, end, flags)) ? 0 : -ENOMEM;
}

/** The flags of the vma after advice that is only remembered; REFUSED if the vma cannot be given it. */
function advisedFlags(vma: Vma, advice: u32): u32 {
  const flags = vma.flags;
  switch (advice) {
    case MADV_NORMAL:
      return flags & ~(VM_RAND_READ | VM_SEQ_READ);
    case MADV_RANDOM:
      return (flags & ~VM_SEQ_READ) | VM_RAND_READ;
    case MADV_SEQUENTIAL:
      return (flags & ~VM_RAND_READ) | VM_SEQ_READ;
    case MADV_DONTFORK:
      return flags | VM_DONTCOPY;
    case MADV_DOFORK:
      return flags & VM_IO ? REFUSED : flags & ~VM_DONTCOPY;
    case MADV_WIPEONFORK:
      return !isAnonymous(vma) || flags & VM_SHARED ? REFUSED : flags | VM_WIPEONFORK;
    case MADV_KEEPONFORK:
      return flags & ~VM_WIPEONFORK;
    case MADV_HUGEPAGE:
      return (flags & ~VM_NOHUGEPAGE) | VM_HUGEPAGE;
    case MADV_NOHUGEPAGE:
      return (flags & ~VM_HUGEPAGE) | VM_NOHUGEPAGE;
    case MADV_MERGEABLE:
      return flags & NEVER_MERGED ? flags : flags | VM_MERGEABLE;
    case MADV_UNMERGEABLE:
      return flags & ~VM_MERGEABLE;
  }
  return REFUSED;
}

/** folio_mark_lazyfree: marks a page that MADV_FREE gives up. False for one that it leaves as it is. */
function markFree(pfn: u32): bool {
  const folio = folioOf(pfn);
  if (isDevicePfn(pfn)) return false;
  if (folio.has(FOLIO_SWAP_CACHE | FOLIO_DIRTY)) {
    if (folio.has(FOLIO_LOCKED) || folio.mapcount != 1 || !freeSwap(pfn, folio)) return false;
    folio.clear(FOLIO_DIRTY);
  }
  if (folio.has(FOLIO_ANON) && folio.has(FOLIO_LRU)) folio.set(FOLIO_LAZYFREE);
  return true;
}

/**
 * Clears PTE flags of the present entries of [start, end). With PTE_DIRTY among them this is MADV_FREE, which
 * drops swap entries; without it MADV_COLD, which marks the pages as not referenced, too.
 */
function clearFlags(mm: Mm, start: u64, end: u64, flags: u32): void {
  const freeing = (flags & PTE_DIRTY) != 0;
  let next = start;
  while (next < end) {
    const addr = next;
    const table = leafTable(mm.pgd, addr);
    next = spanEnd(mm.pgd, table, addr, end);
    if (!table) continue;
    const last = slotsEnd(table, addr, next);
    for (let at = slotOf(table, addr); at < last; at += 8) {
      const pte = load<u64>(at);
      if (ptePresent(pte) && !(pteFlags(pte) & PTE_SPECIAL)) {
        if (freeing && freeMarksPages() && !markFree(ptePfn(pte))) continue;
        store<u64>(at, pte & ~(<u64>flags));
        if (!freeing) folioOf(ptePfn(pte)).clear(FOLIO_REFERENCED);
      }
      if (freeing && pteKind(pte) == PTE_KIND_SWAP) {
        store<u64>(at, 0);
        zapPte(mm, pte);
      }
    }
  }
}
