// The bytes of frames: zeroing and copying a page, which do nothing without page contents. All code that
// changes bytes of frames notes it here, for checkpoints (src/engine/saved-memory.ts).

import { HDR_MARKS, MARK_CHANGED, MARK_SHIFT, MARK_WRITTEN } from "../../abi/header";
import { header } from "../base/layout";
import { frameOf } from "./folio";

/** Notes that bytes of a frame change. Frames must have bytes. */
@inline
export function markFrame(pfn: u32): void {
  store<u8>(header(HDR_MARKS) + (pfn >> MARK_SHIFT), MARK_CHANGED | MARK_WRITTEN);
}

/** Notes that bytes of n frames that follow each other change. Frames must have bytes. */
function markFrames(pfn: u32, n: u32): void {
  const first = pfn >> MARK_SHIFT;
  const last = (pfn + n - 1) >> MARK_SHIFT;
  memory.fill(header(HDR_MARKS) + first, <u8>(MARK_CHANGED | MARK_WRITTEN), last - first + 1);
}

/** Zeroes a page. */
@inline
export function zeroFrame(pfn: u32): void {
  if (!frameOf(0)) return;
  markFrame(pfn);
  memory.fill(frameOf(pfn), 0, 4096);
}

/**
 * Copies a page. A loop of its own beats memory.copy, which calls out of the module, by 5 to 10 % for a page
 * that is not cached. Pages a multiple of 256 MiB apart alias in L1 of AMD's processors, which makes a direct
 * copy 50 % slower: such a copy goes through the frame of pfn 0, which no one uses.
 */
export function copyFrame(to: u32, from: u32): void {
  const spare = frameOf(0);
  if (!spare) return;
  markFrame(to);
  const target = frameOf(to);
  let source = frameOf(from);
  if (!((target ^ source) & 0x0fff_ffff)) {
    markFrame(0);
    copyPageBytes(spare, source);
    source = spare;
  }
  copyPageBytes(target, source);
}

/** Zeroes n pages that follow each other. */
export function zeroFrames(pfn: u32, n: u32): void {
  if (!frameOf(0)) return;
  markFrames(pfn, n);
  memory.fill(frameOf(pfn), 0, n << 12);
}

/**
 * Copies n pages that follow each other. For 2 MiB memory.copy, which is the host's own, beats copyFrame()'s
 * loop; but pages that alias go through it.
 */
export function copyFrames(to: u32, from: u32, n: u32): void {
  if (!frameOf(0)) return;
  markFrames(to, n);
  if ((frameOf(to) ^ frameOf(from)) & 0x0fff_ffff) memory.copy(frameOf(to), frameOf(from), n << 12);
  else for (let i: u32 = 0; i < n; i++) copyFrame(to + i, from + i);
}

/** Copies 4 KiB from one address to another; both are multiples of 64. */
function copyPageBytes(to: usize, from: usize): void {
  for (const end = to + 4096; to < end; to += 64, from += 64) {
    const a = v128.load(from);
    const b = v128.load(from, 16);
    const c = v128.load(from, 32);
    const d = v128.load(from, 48);
    v128.store(to, a);
    v128.store(to, b, 16);
    v128.store(to, c, 32);
    v128.store(to, d, 48);
  }
}
