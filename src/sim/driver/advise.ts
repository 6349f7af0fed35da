/**
 * What a program tells the managed driver about its data: cudaMemAdvise and cudaMemPrefetchAsync
 * (uvm_policy.c, uvm_migrate.c). Advice is kept for each VA block: a range's advice is
 * that of every block in which it has a byte.
 */
import { RIGHTS_READ } from "../policies/rights.ts";
import {
  BLOCK_BYTES,
  BLOCK_PAGES,
  isEmpty,
  keepBits,
  newBits,
  nextBit,
  setRange,
  type Bits,
} from "./bits.ts";
import type { ManagedMemory } from "./managed-memory.ts";
import { canMap, NOWHERE, type Processor } from "./processor.ts";
import type { BlockService } from "./service.ts";
import type { VaBlock } from "./va-block.ts";

/** CUDA's numbers of advice (enum cudaMemoryAdvise), which .hmt traces carry. */
export const ADVISE = {
  setReadMostly: 1,
  unsetReadMostly: 2,
  setPreferredLocation: 3,
  unsetPreferredLocation: 4,
  setAccessedBy: 5,
  unsetAccessedBy: 6,
} as const;

/** A range of addresses: bytes from start on. */
interface ByteRange {
  start: number;
  bytes: number;
}

/** Calls `how` for each block of a range, which is made, with the range's pages of it. */
function eachPart(
  memory: ManagedMemory,
  { start, bytes }: ByteRange,
  how: (block: VaBlock, pages: Bits) => void,
): void {
  const end = start + bytes;
  for (let number = Math.floor(start / BLOCK_BYTES); number * BLOCK_BYTES < end; number++) {
    const block = memory.block(number);
    const pageOf = (address: number): number => (address - block.start) / (BLOCK_BYTES / BLOCK_PAGES);
    const pages = newBits();
    const from = Math.max(Math.floor(pageOf(start)), 0);
    setRange(pages, from, Math.max(from, Math.min(Math.ceil(pageOf(end)), block.pages)));
    how(block, pages);
  }
}

/** All pages of a block. */
function allPages(block: VaBlock): Bits {
  const pages = newBits();
  setRange(pages, 0, block.pages);
  return pages;
}

/** Maps what a block's processors hold for a processor that can map it. */
function mapNow(memory: ManagedMemory, block: VaBlock, p: Processor): void {
  const { topology } = memory;
  for (let owner = 0; owner < topology.processors; owner++) {
    const pages = allPages(block);
    keepBits(pages, block.resident[owner]);
    if (!isEmpty(pages) && canMap(topology, p, owner)) memory.map(block, pages, p, owner);
  }
}

/** Leaves one copy of each page: the preferred location's, else the CPU's, else the first holder's. */
function collapse(memory: ManagedMemory, block: VaBlock): void {
  for (let page = 0; page < block.pages; page++) {
    const holders = block.holders(page);
    if ((holders & (holders - 1)) === 0) continue;
    const { preferred } = block;
    const first = 31 - Math.clz32(holders & -holders);
    const keeper = preferred !== NOWHERE && (holders & (1 << preferred)) !== 0 ? preferred : first;
    const pages = newBits();
    setRange(pages, page, page + 1);
    memory.makeResident(block, pages, keeper, "migrate");
  }
}

/**
 * Gives advice (a value of ADVISE) for a range of addresses. Preferred locations move nothing. Accessed-by
 * maps at once, and unsetting it leaves the maps. Read-mostly leaves all processors only the right to read,
 * and copies nothing; unsetting it leaves one copy of each page.
 */
export function advise(memory: ManagedMemory, range: ByteRange, advice: number, p: Processor): void {
  memory.eachBlock(range.start, range.bytes, (block) => {
    switch (advice) {
      case ADVISE.setReadMostly:
        block.readMostly = true;
        for (let q = 0; q < memory.topology.processors; q++)
          memory.limit(block, allPages(block), q, RIGHTS_READ);
        break;
      case ADVISE.unsetReadMostly:
        block.readMostly = false;
        collapse(memory, block);
        break;
      case ADVISE.setPreferredLocation:
        block.preferred = p;
        break;
      case ADVISE.unsetPreferredLocation:
        block.preferred = NOWHERE;
        break;
      case ADVISE.setAccessedBy:
        block.accessedBy |= 1 << p;
        mapNow(memory, block, p);
        break;
      case ADVISE.unsetAccessedBy:
        block.accessedBy &= ~(1 << p);
        break;
    }
  });
}

/**
 * Moves a range to a processor (UVM_MIGRATE), pages that nobody holds included, and maps it there. Prefetch
 * and thrashing have no say. Pages that may be read-duplicated are copied.
 */
export function migrate(memory: ManagedMemory, service: BlockService, range: ByteRange, to: Processor): void {
  eachPart(memory, range, (block, pages) => {
    if (nextBit(pages, 0) < BLOCK_PAGES) service.migrate(block, pages, to);
  });
}
