// A whole migration in one operation: migrate_vma_setup, the driver's part, migrate_vma_pages and
// migrate_vma_finalize. It is for drivers that decide nothing between these steps, and it allocates, copies,
// maps and answers as such a driver does by the separate calls.

import {
  MOVE_BYTES,
  MOVE_COPIED,
  MOVE_MOVED,
  MOVE_PAGES_MAX,
  MOVE_USED,
  MOVE_WRITTEN,
} from "../../abi/argument";
import { REQUEST } from "../../abi/request";
import { RESOURCE_MIGRATION } from "../../abi/pool";
import { MIGRATE_PFN_MIGRATE, MIGRATE_PFN_VALID } from "../../uapi/pfn";
import { PTE_DIRTY, PTE_YOUNG } from "../../uapi/pte";
import { PAGE_SIZE } from "../../uapi/page";
import { zeroObject } from "../base/layout";
import { poolId } from "../base/pool";
import { pteFlags } from "../base/pte";
import { takeFreed } from "../frame/page-free";
import { deviceTableOf } from "../space/device-table";
import { Migration } from "../space/migration";
import { leafTable, slotOf, spanEnd } from "../table/pagetable";
import { MigrateMoveCmd } from "./cmd";
import { copyPages } from "./copy";
import { devmemAllocPages, systemAllocPages } from "./destinations";
import { migrateFinalize } from "./finalize";
import { deviceTableMapMigrated } from "./mirror";
import { migratePagesStep } from "./pages";
import { migrateSetupStep } from "./setup";

/** Where the pfns of freed pages go, in `out`. */
const FREED: u32 = MOVE_BYTES - MOVE_PAGES_MAX * 4;

/** OP_MIGRATE_MOVE: moves what can move. Returns how many pages moved. */
export function migrateMoveStep(cmd: MigrateMoveCmd): i32 {
  if (!cmd.isSetUp) {
    // An event may drop entries, so what the device did is noted before the first one.
    if (cmd.phase == 0) begin(cmd);
    const answer = migrateSetupStep(cmd);
    if (answer < 0 || answer == REQUEST) return answer;
    const m = changetype<Migration>(cmd.migration);
    if (m.cpages) giveDestinations(cmd, m);
    cmd.isSetUp = 1;
    cmd.phase = 0;
    cmd.index = 0;
  }
  const m = changetype<Migration>(cmd.migration);
  const id = poolId(RESOURCE_MIGRATION, cmd.migration);
  const moved = migratePagesStep(cmd);
  if (moved == REQUEST) return REQUEST;
  assert(moved >= 0, "migrateMove: a word is wrong");
  deviceTableMapMigrated(cmd.table, id);
  noteMoved(cmd, m);
  migrateFinalize(id);
  dropFreed(cmd);
  return moved;
}

/** The driver's part between setup and pages(): frames for the candidates, and their bytes. */
function giveDestinations(cmd: MigrateMoveCmd, m: Migration): void {
  const src: usize = m.driverSrc;
  const dst: usize = m.driverDst;
  if (cmd.toDevice) {
    devmemAllocPages(cmd.devmem, src, dst, m.npages);
  } else {
    systemAllocPages(src, dst, m.npages);
    giveFirst(src, dst, m.npages, cmd.first);
  }
  copyPages(src, dst, m.npages);
}

/** The page at `first` takes the last frame over, if it is a candidate and has none. */
function giveFirst(src: usize, dst: usize, n: u32, first: u32): void {
  const candidate = (<u32>MIGRATE_PFN_VALID) | MIGRATE_PFN_MIGRATE;
  const own = dst + first * 4;
  if (first >= n || load<u32>(own) || (load<u32>(src + first * 4) & candidate) != candidate) return;
  for (let at = dst + n * 4; at > dst;) {
    at -= 4;
    const word = load<u32>(at);
    if (!word) continue;
    store<u32>(at, 0);
    store<u32>(own, word);
    return;
  }
}

/** The devmem's freed pages are free at once: its driver has no callback for them. */
function dropFreed(cmd: MigrateMoveCmd): void {
  while (takeFreed(cmd.devmem, cmd.out + FREED, MOVE_PAGES_MAX)) continue;
}

// ── What it finds
// ─────────────────────────────────────────────────────────────────────────────────────────────────
//
// A bit for each page, by its number from the 64 KiB on in which the range begins.

/** Sets the bit of a page in one of the answers. */
@inline
function mark(cmd: MigrateMoveCmd, which: u32, page: u64): void {
  const bit = <u32>(page - ((cmd.start >> 16) << 4));
  const at = cmd.out + which + (bit >> 3);
  store<u8>(at, <u8>(load<u8>(at) | ((<u32>1) << (bit & 7))));
}

/** Empties the answers, and marks the pages that the device has used, and those that it has written. */
function begin(cmd: MigrateMoveCmd): void {
  zeroObject(cmd.out, FREED);
  if (!cmd.toDevice) noteUses(cmd);
}

/** Marks the pages that have moved, and those of them that there were before, 32 at a time. */
function noteMoved(cmd: MigrateMoveCmd, m: Migration): void {
  const first = <u32>((m.start >> 12) - ((cmd.start >> 16) << 4));
  const end = first + m.npages;
  let moved: u32 = 0;
  let copied: u32 = 0;
  for (let bit = first; bit < end; bit++) {
    const word = m.source(bit - first);
    const page = word & MIGRATE_PFN_MIGRATE ? (<u32>1) << (bit & 31) : 0;
    moved |= page;
    copied |= word & (<u32>MIGRATE_PFN_VALID) ? page : 0;
    if ((bit & 31) != 31 && bit + 1 < end) continue;
    const at = cmd.out + ((bit >> 5) << 2);
    store<u32>(at + MOVE_MOVED, moved);
    store<u32>(at + MOVE_COPIED, copied);
    moved = 0;
    copied = 0;
  }
}

/** Marks the pages of the range whose entries in the device's table are accessed, and the dirty ones. */
function noteUses(cmd: MigrateMoveCmd): void {
  const root = deviceTableOf(cmd.table).root;
  for (let next = cmd.start; next < cmd.end;) {
    let addr = next;
    const leaf = leafTable(root, addr);
    next = spanEnd(root, leaf, addr, cmd.end);
    if (!leaf) continue;
    for (let at = slotOf(leaf, addr); addr < next; addr += PAGE_SIZE, at += 8) {
      const flags = pteFlags(load<u64>(at));
      if (flags & PTE_YOUNG) mark(cmd, MOVE_USED, addr >> 12);
      if (flags & PTE_DIRTY) mark(cmd, MOVE_WRITTEN, addr >> 12);
    }
  }
}
