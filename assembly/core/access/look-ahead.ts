// Look-ahead: where page tables are larger than the host's caches, a replay waits for memory at each page,
// and each wait depends on what came before. Loading early what later records need lets these waits overlap.
// WebAssembly has no prefetch, so a load stands for it. The records of a group are looked at together, in
// loops so short that the processor has many of their loads under way at one time.

import { XBUF_SIZE } from "../../abi/argument";
import { HDR_DEVICE_BASE, HDR_DEVICE_FRAMES, HDR_USE_STAMPS, HDR_XBUF } from "../../abi/header";
import { RECORD_BYTES, RECORD_SIZE_SHIFT } from "../../abi/record";
import { header } from "../base/layout";
import { ptePfn } from "../base/pte";
import { leafTable, slotOf } from "../table/pagetable";

const ADDRESS_MASK: u64 = (1 << RECORD_SIZE_SHIFT) - 1;
/** The records of a group. */
const GROUP: u32 = 32;
/** What is loaded is stored, lest the loads be dropped: at the end of the exchange buffer … */
const SINK: u32 = XBUF_SIZE - 8;
/** … and before that, the addresses of the group's page-table entries (u32 each), … */
const ENTRIES: u32 = SINK - GROUP * 4;
/** … and the address after the group that was looked at last (u32; 0: none). */
const AHEAD: u32 = ENTRIES - 4;

/** Forgets what has been looked at: other records come. */
export function lookNowhere(): void {
  store<u32>(header(HDR_XBUF) + AHEAD, 0);
}

/** Returns the address after the records that have been looked at ahead; 0: none have. */
export function lookedAhead(): usize {
  return load<u32>(header(HDR_XBUF) + AHEAD);
}

/**
 * Loads the page-table entries that the record at `next` and those after it need, and where uses are kept the
 * stamps of their pages (frame/recency.ts). The records end at `last`. Returns the address after the group.
 */
export function lookAhead(root: usize, next: usize, last: usize): usize {
  const end = min(last, next + GROUP * RECORD_BYTES);
  const entries: usize = header(HDR_XBUF) + ENTRIES;
  let at = entries;
  for (; next < end; next += RECORD_BYTES, at += 4) {
    const addr = load<u64>(next) & ADDRESS_MASK;
    // The entries of a table that is missing read as 0.
    store<u32>(at, <u32>slotOf(leafTable(root, addr), addr));
  }
  const base = header(HDR_DEVICE_BASE);
  const frames = header(HDR_DEVICE_FRAMES);
  const stamps: usize = header(HDR_USE_STAMPS);
  let sum: u32 = 0;
  for (let entry = entries; entry < at; entry += 4) {
    const frame = ptePfn(load<u64>(load<u32>(entry))) - base;
    sum += stamps && frame < frames ? load<u32>(stamps + ((<usize>frame) << 2)) : frame;
  }
  store<u32>(header(HDR_XBUF) + SINK, sum);
  store<u32>(header(HDR_XBUF) + AHEAD, <u32>end);
  return end;
}
