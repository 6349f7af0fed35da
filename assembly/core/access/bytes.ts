// Bytes in frames, page by page: what accesses and file I/O copy through the exchange buffer.

import { PAGE_SIZE } from "../../uapi/page";
import { frameOf } from "../frame/folio";
import { markFrame } from "../frame/frame";

/** How many of `left` bytes from address (or file offset) `at` on lie in the same page. */
@inline
export function bytesInPage(at: u64, left: usize): usize {
  return min<usize>(<usize>PAGE_SIZE - ((<usize>at) & (PAGE_SIZE - 1)), left);
}

/** memory.copy, which costs a call out of the module, but for a word. */
@inline
function copyBytes(to: usize, from: usize, length: usize): void {
  if (length == 4) store<u32>(to, load<u32>(from));
  else memory.copy(to, from, length);
}

/**
 * Copies `length` bytes out of page `pfn`, from the offset of `at` on. Without page contents all bytes are 0.
 */
@inline
export function readPage(pfn: u32, at: u64, to: usize, length: usize): void {
  if (frameOf(0)) copyBytes(to, frameOf(pfn) + ((<usize>at) & (PAGE_SIZE - 1)), length);
  else memory.fill(to, 0, length);
}

/** Copies `length` bytes into page `pfn`, from the offset of `at` on. Without page contents they are lost. */
@inline
export function writePage(pfn: u32, at: u64, from: usize, length: usize): void {
  if (!frameOf(0)) return;
  markFrame(pfn);
  copyBytes(frameOf(pfn) + ((<usize>at) & (PAGE_SIZE - 1)), from, length);
}
