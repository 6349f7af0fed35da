import { ARENA_GRANULE } from "../../assembly/abi/argument.ts";
import { HDR_ARENA, HDR_ARENA_END, HDR_ARENA_HEADS, HEADER } from "../../assembly/abi/header.ts";

/** A block of the arena (assembly/core/base/arena.ts draws them). Addresses are in linear memory. */
export interface ArenaBlock {
  start: number;
  /** Exclusive. */
  end: number;
  /** Where its head is, the word that says how large it is and whether it is in use. */
  head: number;
  /** Where the head of the next block is; the words between the two mean nothing. */
  nextHead: number;
  used: boolean;
}

/** Yields the blocks of an engine's arena in their order; `u32` reads linear memory. */
export function* arenaBlocks(u32: (address: number) => number): Generator<ArenaBlock> {
  const last = u32(HEADER + HDR_ARENA_END);
  let start = u32(HEADER + HDR_ARENA);
  for (let head = u32(HEADER + HDR_ARENA_HEADS); start < last;) {
    const granules = u32(head) >>> 1;
    const end = start + granules * ARENA_GRANULE;
    const nextHead = head + granules * 4;
    yield { start, end, head, nextHead, used: (u32(head) & 1) !== 0 };
    start = end;
    head = nextHead;
  }
}
