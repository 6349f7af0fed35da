// The bytes of frames: zeroing and copying a page. Where frames have no bytes, nothing.

import { frameOf } from "./folio";


@inline
export function zeroFrame(pfn: u32): void {
  if (frameOf(0)) memory.fill(frameOf(pfn), 0, 4096);
}

/**
 * In a loop of our own: memory.copy calls out of the module, and takes a twentieth to a tenth longer for one page that is not in
 * the caches. Pages a multiple of 256 MiB apart go by way of the frame of pfn 0, which nobody has: processors of AMD
 * take such addresses for each other in their first cache, and copying straight takes half as long again.
 */
export function copyFrame(to: u32, from: u32): void {
  const spare = frameOf(0);
  if (!spare) return;
  const target = frameOf(to);
  let source = frameOf(from);
  if (!((target ^ source) & 0x0fff_ffff)) {
    copyPageBytes(spare, source);
    source = spare;
  }
  copyPageBytes(target, source);
}

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
