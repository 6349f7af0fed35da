// Look-ahead: where page tables are larger than the host's caches, a replay waits for memory at each page,
// and each wait depends on what came before. Loading early what later records need lets these waits overlap.
// WebAssembly has no prefetch, so a load stands for it.

import { XBUF_SIZE } from "../../abi/argument";
import { HDR_XBUF } from "../../abi/header";
import { RECORD_BYTES, RECORD_SIZE_SHIFT } from "../../abi/record";
import { TABLE_ENTRIES } from "../../uapi/page";
import { header } from "../base/layout";
import { leafTable } from "../table/pagetable";

const ADDRESS_MASK: u64 = (1 << RECORD_SIZE_SHIFT) - 1;
/** How far ahead it looks. */
const AHEAD: usize = 16 * RECORD_BYTES;

/** Loads the page-table entry that the record some places after `next` needs; the records end at `last`. */
export function lookAhead(root: usize, next: usize, last: usize): void {
  const record = next + AHEAD;
  if (record >= last) return;
  const addr = load<u64>(record) & ADDRESS_MASK;
  const table = leafTable(root, addr);
  const entry = table + (((<u32>(addr >> 12)) & (TABLE_ENTRIES - 1)) << 3);
  // Stores what it loads, lest the load be dropped.
  if (table) store<u32>(header(HDR_XBUF) + XBUF_SIZE - 4, load<u32>(entry));
}
