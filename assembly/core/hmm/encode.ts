// Encoding entries as hmm_pfn words, four or sixteen at a time: a present entry's flags are where the word
// has them, so that a word is one shuffle and one mask.

import { HDR_FAULT_ADDR } from "../../abi/header";
import { EFAULT } from "../../uapi/errno";
import { HMM_PFN_REQ_FAULT, HMM_PFN_REQ_WRITE, HMM_PFN_VALID } from "../../uapi/pfn";
import {
  PTE_HMM,
  PTE_KIND_DEVICE,
  PTE_KIND_HWPOISON,
  PTE_KIND_MARKER,
  PTE_KIND_MASK,
  PTE_KIND_MIGRATION,
} from "../../uapi/pte";
import { setHeaderF64 } from "../base/layout";
import { none } from "../base/object";
import { pteFlags, pteKind, ptePfn, ptePresent } from "../base/pte";
import { mustWait } from "../fault/common";
import { ownFrames } from "../frame/zone";
import { Vma } from "../space/vma";
import { beginFault, isOwn, needFault, RangeFaultCmd, slotFor } from "./slots";

/** Encodes four entries that are present or empty. Returns their flags. */
@inline
function presentFour(at: usize, slot: usize): v128 {
  const a = v128.load(at);
  const b = v128.load(at, 16);
  const flags = v128.shuffle<i32>(a, b, 0, 2, 4, 6);
  const pfns = v128.shuffle<i32>(a, b, 1, 3, 5, 7);
  v128.store(slot, v128.or(pfns, v128.and(flags, i32x4.splat(<i32>PTE_HMM))));
  return flags;
}

/**
 * Encodes four entries of any kind: device pages in [first, first + size) as the caller's own, other absent
 * ones as 0.
 */
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

/** Encodes sixteen entries of any kind; the caller's own device pages are [first, first + size). */
@inline
function anySixteen(cmd: RangeFaultCmd, at: usize, slot: usize, first: u32, size: u32): void {
  if (!size) {
    // The caller has no device pages, or has them in several zones.
    for (let i: usize = 0; i < 64; i += 4) encodeOne(cmd, none<Vma>(), load<u64>(at + 2 * i), slot + i, 0);
    return;
  }
  const firsts = i32x4.splat(first);
  const sizes = i32x4.splat(size);
  for (let i: usize = 0; i < 64; i += 16) anyFour(at + 2 * i, slot + i, firsts, sizes);
}

/**
 * Encodes entries sixteen at a time, where no slot requests a fault, so that nothing stops the walk: without
 * a branch but for entries that are neither present nor empty. The caller's own device pages are [first,
 * first + size). Returns the slot at which fewer than sixteen are left.
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
 * Encodes the entries of [addr, end), which begin at `at`: four at a time where none of the four has to be
 * looked at alone. A present entry, or a device page of the caller's own, gives its pfn (the high word) with
 * VALID and WRITE (the top bits of the low word); any other gives 0 unless a fault is requested. 0,
 * FAULT_RANGE, or a negative errno.
 */
export function encode(cmd: RangeFaultCmd, vma: Vma, at: usize, addr: u64, end: u64): i32 {
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
  // What all slots request. Where the mask lets each request something else, they are looked at one by one.
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

/** Encodes one entry into its slot: 0, FAULT_RANGE, or a negative errno. */
function encodeOne(cmd: RangeFaultCmd, vma: Vma, pte: u64, slot: usize, end: u64): i32 {
  const kind = pteKind(pte);
  let offers: u32 = 0;
  if (ptePresent(pte)) {
    offers = pteFlags(pte) & (<u32>PTE_HMM);
  } else if (kind == PTE_KIND_DEVICE) {
    if (isOwn(cmd, pte)) {
      // The caller's own device page is reported as it is: a write request does not bring it back.
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
