// hmm_range_fault: what a range of an address space looks like to a device, faulting pages in where that is asked.
//
// A slot that needs a fault sends every page from its own to the end of the walk's piece (the vma's part of 2 MiB)
// through the fault handler, device pages of the caller included; then the walk starts again at that slot. Slots
// before it hold outputs, slots from it on still hold inputs.

import { OWNER_ANY } from "../../abi/argument";
import { COMMAND_SIZE, HDR_FAULT_ADDR } from "../../abi/header";
import { REQUEST } from "../../abi/request";
import { EAGAIN, EBUSY, EFAULT, ENOMEM, EPERM } from "../../uapi/errno";
import { PAGE_SIZE } from "../../uapi/page";
import {
  HMM_PFN_ERROR,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
} from "../../uapi/pfn";
import {
  PTE_HMM,
  PTE_KIND_DEVICE,
  PTE_KIND_HWPOISON,
  PTE_KIND_MARKER,
  PTE_KIND_MASK,
  PTE_KIND_MIGRATION,
} from "../../uapi/pte";
import {
  ACCESS_WRITE,
  VM_FAULT_ERROR,
  VM_FAULT_OOM,
  VM_IO,
  VM_PFNMAP,
  VM_READ,
  VM_WRITE,
} from "../../uapi/vm";
import { setHeaderF64 } from "../base/layout";
import { exists, none } from "../base/object";
import { pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { mustWait } from "../fault/common";
import { handleFault } from "../fault/fault";
import { ownFrames, zoneOf, zoneOfPfn } from "../frame/zone";
import { Cmd } from "../operation/cmd";
import { notifierStale } from "../operation/notify";
import { mmAt } from "../space/mm";
import { findVmaFrom, Vma, vmaLookup } from "../space/vma";
import { holeEnd, isHuge, leafEnd, leafTable, slotOf } from "../table/pagetable";

const NEED_FAULT: u32 = 1;
const NEED_WRITE: u32 = 2;
/** walkRange's answer: [faultStart, faultEnd) is to be faulted in. */
const FAULT_RANGE: i32 = 1;

/** OP_RANGE_FAULT of [start, end): the fields of struct hmm_range. Slots before cursor hold outputs. */
@unmanaged
export class RangeFaultCmd extends Cmd {
  /** phase PHASE_FAULT: what is left to be faulted in. */
  faultStart: u64;
  faultEnd: u64;
  /** ACCESS_* of these faults. */
  faultFlags: u32;
  /** The address of u32[], a slot for each page. */
  pfns: u32;
  /** What each slot requests, beside what its word does as far as the mask lets it. */
  defaultFlags: u32;
  mask: u32;
  /** Whose device pages are reported as they are. */
  owner: u32;
  /** The subscription whose sequence must still be `seq` when the walk begins; 0 none. */
  notifier: u32;
  seq: u32;
}

if (<i32>offsetof<RangeFaultCmd>() > COMMAND_SIZE) ERROR("RangeFaultCmd");

/** cmd.phase of OP_RANGE_FAULT. */
const PHASE_WALK: u32 = 0;
const PHASE_FAULT: u32 = 1;

/** OP_RANGE_FAULT: walks, faults in the piece where the walk stopped, walks again from there. */
export function rangeFaultStep(cmd: RangeFaultCmd): i32 {
  while (true) {
    if (cmd.phase == PHASE_FAULT) {
      const result = faultPiece(cmd);
      if (result) return result;
      cmd.phase = PHASE_WALK;
    }
    if (cmd.notifier && notifierStale(cmd.notifier, cmd.seq)) return -EBUSY;
    const result = walkRange(cmd);
    if (result != FAULT_RANGE) return result;
    cmd.phase = PHASE_FAULT;
  }
}

function faultPiece(cmd: RangeFaultCmd): i32 {
  const vma = vmaLookup(mmAt(cmd.mm), cmd.cursor);
  while (cmd.faultStart < cmd.faultEnd) {
    const result = handleFault(cmd, vma, cmd.faultStart, cmd.faultFlags);
    if (result == REQUEST) return result;
    if (result) {
      setHeaderF64(HDR_FAULT_ADDR, cmd.faultStart);
      if (result == -EAGAIN) return result;
      if (result & VM_FAULT_ERROR) return result & VM_FAULT_OOM ? -ENOMEM : -EFAULT;
    }
    cmd.faultStart += PAGE_SIZE;
  }
  return 0;
}

/** Does a slot whose entry offers `offers` (VALID, WRITE) need a fault? NEED_* bits. */
@inline
function needFault(cmd: RangeFaultCmd, slot: usize, offers: u32): u32 {
  const request = (load<u32>(slot) & cmd.mask) | cmd.defaultFlags;
  if (!(request & (<u32>HMM_PFN_REQ_FAULT))) return 0;
  if (request & HMM_PFN_REQ_WRITE && !(offers & HMM_PFN_WRITE)) return NEED_FAULT | NEED_WRITE;
  return offers & (<u32>HMM_PFN_VALID) ? 0 : NEED_FAULT;
}


@inline
function slotFor(cmd: RangeFaultCmd, addr: u64): usize {
  return <usize>cmd.pfns + ((<usize>((addr - cmd.start) >> 12)) << 2);
}

/** What the slots of [start, end) need together, where every entry offers `offers`. */
function rangeNeeds(cmd: RangeFaultCmd, start: u64, end: u64, offers: u32): u32 {
  if (!((cmd.defaultFlags | cmd.mask) & (<u32>HMM_PFN_REQ_FAULT))) return 0;
  let needs: u32 = 0;
  for (let at = slotFor(cmd, start); at < slotFor(cmd, end); at += 4) needs |= needFault(cmd, at, offers);
  return needs;
}

function fillSlots(cmd: RangeFaultCmd, start: u64, end: u64, word: u32): void {
  const last = slotFor(cmd, end);
  for (let at = slotFor(cmd, start); at < last; at += 4) store<u32>(at, word);
}

/** Sets up the fault of [addr, end), or says why it cannot be. */
function beginFault(cmd: RangeFaultCmd, vma: Vma, addr: u64, end: u64, needs: u32): i32 {
  cmd.cursor = addr;
  if (needs & NEED_WRITE && !(vma.flags & VM_WRITE)) {
    setHeaderF64(HDR_FAULT_ADDR, addr);
    return -EPERM;
  }
  cmd.faultStart = addr;
  cmd.faultEnd = end;
  cmd.faultFlags = needs & NEED_WRITE ? ACCESS_WRITE : 0;
  return FAULT_RANGE;
}

/** 0 at the end, FAULT_RANGE, or a negative errno. */
function walkRange(cmd: RangeFaultCmd): i32 {
  const mm = mmAt(cmd.mm);
  while (cmd.cursor < cmd.end) {
    const vma = findVmaFrom(mm, cmd.cursor);
    const inside = exists(vma) && vma.start <= cmd.cursor;
    const end = min(cmd.end, inside ? vma.end : exists(vma) ? vma.start : cmd.end);
    if (inside && vma.flags & VM_READ && !(vma.flags & (VM_IO | VM_PFNMAP))) {
      const result = walkVma(cmd, vma, end);
      if (result) return result;
    } else {
      if (rangeNeeds(cmd, cmd.cursor, end, 0)) {
        setHeaderF64(HDR_FAULT_ADDR, cmd.cursor);
        return -EFAULT;
      }
      fillSlots(cmd, cmd.cursor, end, HMM_PFN_ERROR);
    }
    cmd.cursor = end;
  }
  return 0;
}

/** Is the device page of an entry the caller's own? */
function isOwn(cmd: RangeFaultCmd, pte: u64): bool {
  return cmd.owner == <u32>OWNER_ANY || zoneOf(zoneOfPfn(ptePfn(pte))).owner == cmd.owner;
}

function walkVma(cmd: RangeFaultCmd, vma: Vma, end: u64): i32 {
  const pgd = vma.mm.pgd;
  let addr = cmd.cursor;
  while (addr < end) {
    const table = leafTable(pgd, addr);
    if (!table) {
      const until = min(holeEnd(pgd, addr), end);
      const needs = rangeNeeds(cmd, addr, until, 0);
      if (needs) return beginFault(cmd, vma, addr, until, needs);
      fillSlots(cmd, addr, until, 0);
      addr = until;
      continue;
    }
    const until = leafEnd(addr, end);
    const first = load<u64>(table);
    const there = ptePresent(first);
    if (isHuge(table) && (there || (pteKind(first) == PTE_KIND_DEVICE && !isOwn(cmd, first)))) {
      // One entry, for Linux: if any slot needs a fault, all of the piece is faulted in.
      const needs = rangeNeeds(cmd, addr, until, pteFlags(first) & (<u32>PTE_HMM));
      if (needs) return beginFault(cmd, vma, addr, until, needs);
      if (!there) {
        fillSlots(cmd, addr, until, HMM_PFN_ERROR);
        addr = until;
        continue;
      }
    }
    const result = encode(cmd, vma, slotOf(table, addr), addr, until);
    if (result) return result;
    addr = until;
  }
  return 0;
}

/** Four neighbouring entries that are present or empty: their words. Returns the entries' flags. */
@inline
function presentFour(at: usize, slot: usize): v128 {
  const a = v128.load(at);
  const b = v128.load(at, 16);
  const flags = v128.shuffle<i32>(a, b, 0, 2, 4, 6);
  const pfns = v128.shuffle<i32>(a, b, 1, 3, 5, 7);
  v128.store(slot, v128.or(pfns, v128.and(flags, i32x4.splat(<i32>PTE_HMM))));
  return flags;
}

/** Four entries of any kind: what is present, and the device pages whose pfns are in [first, first + size); else 0. */
@inline
function anyFour(at: usize, slot: usize, first: v128, size: v128): void {
  const a = v128.load(at);
  const b = v128.load(at, 16);
  const flags = v128.shuffle<i32>(a, b, 0, 2, 4, 6);
  const pfns = v128.shuffle<i32>(a, b, 1, 3, 5, 7);
  const device = i32x4.eq(v128.and(flags, i32x4.splat(PTE_KIND_MASK)), i32x4.splat(PTE_KIND_DEVICE));
  const own = v128.and(device, i32x4.lt_u(i32x4.sub(pfns, first), size));
  const top = v128.or(
    v128.and(flags, i32x4.splat(<i32>PTE_HMM)),
    v128.and(own, i32x4.splat(<i32>0x80000000)),
  );
  v128.store(slot, v128.and(v128.or(pfns, top), v128.or(i32x4.shr_s(flags, 31), own)));
}

/** Sixteen entries, some of which are neither present nor empty; the caller's own device pages are [first, first + size). */
@inline
function anySixteen(cmd: RangeFaultCmd, at: usize, slot: usize, first: u32, size: u32): void {
  if (!size) {
    // No device page is the caller's own, or they are in several zones.
    for (let i: usize = 0; i < 64; i += 4) encodeOne(cmd, none<Vma>(), load<u64>(at + 2 * i), slot + i, 0);
    return;
  }
  const firsts = i32x4.splat(first);
  const sizes = i32x4.splat(size);
  for (let i: usize = 0; i < 64; i += 16) anyFour(at + 2 * i, slot + i, firsts, sizes);
}

/**
 * Where no slot requests a fault nothing can stop the walk: sixteen entries at a time, without a branch but for device
 * pages; the caller's own are [first, first + size). Returns the slot where fewer than sixteen are left.
 */
@inline
function snapshot(cmd: RangeFaultCmd, at: usize, from: usize, last: usize, first: u32, size: u32): usize {
  let slot = from;
  for (; slot + 64 <= last; at += 128, slot += 64) {
    let flags = presentFour(at, slot);
    flags = v128.or(flags, presentFour(at + 32, slot + 16));
    flags = v128.or(flags, presentFour(at + 64, slot + 32));
    flags = v128.or(flags, presentFour(at + 96, slot + 48));
    if (v128.any_true(v128.and(flags, i32x4.splat(PTE_KIND_MASK)))) anySixteen(cmd, at, slot, first, size);
  }
  return slot;
}

/**
 * Encodes the entries of [addr, end), which stand at `at` one after the other: four at a time where no entry of the four
 * needs a closer look. Present ones and one's own device pages give their pfn (the high words) with VALID and WRITE
 * (the top bits of the low words); what is neither gives 0, unless a fault is asked for.
 */
function encode(cmd: RangeFaultCmd, vma: Vma, at: usize, addr: u64, end: u64): i32 {
  let slot = slotFor(cmd, addr);
  const last = slotFor(cmd, end);
  const frames = ownFrames(cmd.owner);
  const ownAt = <u32>(frames >> 32);
  const own = <u32>frames;
  if (!((cmd.defaultFlags | cmd.mask) & (<u32>HMM_PFN_REQ_FAULT))) {
    const stopped = snapshot(cmd, at, slot, last, ownAt, own);
    at += (stopped - slot) << 1;
    slot = stopped;
  }
  // What all slots ask for; where each may ask for something else, they are looked at one by one.
  const fault = (cmd.defaultFlags & (<u32>HMM_PFN_REQ_FAULT)) != 0;
  const write = fault && (cmd.defaultFlags & HMM_PFN_REQ_WRITE) != 0;
  const four = (cmd.mask & (<u32>HMM_PFN_REQ_FAULT)) == 0;
  const required = i32x4.splat(write ? <i32>0xc0000000 : fault ? <i32>0x80000000 : 0);
  const topBits = i32x4.splat(<i32>PTE_HMM);
  const valid = i32x4.splat(<i32>0x80000000);
  const kinds = i32x4.splat(PTE_KIND_MASK);
  const device = i32x4.splat(PTE_KIND_DEVICE);
  const first = i32x4.splat(ownAt);
  const size = i32x4.splat(own);
  while (slot < last) {
    while (four && slot + 16 <= last) {
      const a = v128.load(at);
      const b = v128.load(at, 16);
      const low = v128.shuffle<i32>(a, b, 0, 2, 4, 6);
      const pfns = v128.shuffle<i32>(a, b, 1, 3, 5, 7);
      if (!write && i32x4.bitmask(low) == 15) {
        v128.store(slot, v128.or(pfns, v128.and(low, topBits)));
        at += 32;
        slot += 16;
        continue;
      }
      const isDevice = i32x4.eq(v128.and(low, kinds), device);
      const mine = v128.and(isDevice, i32x4.lt_u(i32x4.sub(pfns, first), size));
      const present = i32x4.shr_s(low, 31);
      const asks = i32x4.ne(v128.and(low, required), required);
      if (v128.any_true(v128.andnot(v128.or(isDevice, asks), mine))) break;
      const word = v128.or(pfns, v128.or(v128.and(low, topBits), v128.and(mine, valid)));
      v128.store(slot, v128.and(word, v128.or(present, mine)));
      at += 32;
      slot += 16;
    }
    if (slot >= last) break;
    const result = encodeOne(cmd, vma, load<u64>(at), slot, end);
    if (result) return result;
    at += 8;
    slot += 4;
  }
  return 0;
}

/** One entry into its slot: 0, FAULT_RANGE, or a negative errno. */
function encodeOne(cmd: RangeFaultCmd, vma: Vma, pte: u64, slot: usize, end: u64): i32 {
  const kind = pteKind(pte);
  let offers: u32 = 0;
  if (ptePresent(pte)) {
    offers = pteFlags(pte) & (<u32>PTE_HMM);
  } else if (kind == PTE_KIND_DEVICE) {
    if (isOwn(cmd, pte)) {
      // One's own device page is reported as it is: a write request does not bring it back.
      store<u32>(slot, (<u32>HMM_PFN_VALID) | (pteFlags(pte) & (<u32>PTE_HMM)) | ptePfn(pte));
      return 0;
    }
  }
  const needs = needFault(cmd, slot, offers);
  if (!needs) {
    store<u32>(slot, offers ? offers | ptePfn(pte) : 0);
    return 0;
  }
  const addr = cmd.start + (((<u64>(slot - cmd.pfns)) >> 2) << 12);
  if (kind == PTE_KIND_MIGRATION) {
    cmd.cursor = addr;
    setHeaderF64(HDR_FAULT_ADDR, addr);
    return mustWait(ptePfn(pte));
  }
  if (kind == PTE_KIND_HWPOISON || kind == PTE_KIND_MARKER) {
    cmd.cursor = addr;
    setHeaderF64(HDR_FAULT_ADDR, addr);
    return -EFAULT;
  }
  return beginFault(cmd, vma, addr, end, needs);
}
