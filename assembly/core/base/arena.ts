// The arena: arrays of any size in linear memory, such as pfn arrays and the arrays of a migration. Blocks
// follow one another, each with a head of 8 bytes; an allocation takes the first free block that is large
// enough.
//
//   0            4         8
//  ┌────────────┬─────────┬───────────────┐
//  │ size       │ in use  │ payload …     │   size: bytes of the payload, a multiple of 8;  in use: 0 or 1
//  └────────────┴─────────┴═══════════════┘

import { HDR_ARENA, HDR_ARENA_END } from "../../abi/header";
import { RESOURCE_ARENA } from "../../abi/pool";
import { exhausted, header, mayAllocate, zeroObject } from "./layout";

const HEAD: u32 = 8;

/** Makes the whole arena one free block; boot calls it once. */
export function arenaInit(): void {
  const start = header(HDR_ARENA);
  store<u32>(start, header(HDR_ARENA_END) - start - HEAD);
  store<u32>(start, 0, 4);
}

/**
 * Allocates an array: at least `bytes` bytes, zeroed, 8-byte aligned. Returns its address; 0 when no block is
 * large enough, which the header then reports as RESOURCE_ARENA.
 */
export function arenaAlloc(bytes: u32): usize {
  if (!mayAllocate()) return 0;
  const size = (max<u32>(bytes, 8) + 7) & ~7;
  const end = header(HDR_ARENA_END);
  for (let at: usize = header(HDR_ARENA); at < end; at += load<u32>(at) + HEAD) {
    if (load<u32>(at, 4)) continue;
    absorb(at, end);
    const room = load<u32>(at);
    if (room < size) continue;
    if (room >= size + HEAD + 8) {
      store<u32>(at + HEAD + size, room - size - HEAD);
      store<u32>(at + HEAD + size, 0, 4);
      store<u32>(at, size);
    }
    store<u32>(at, 1, 4);
    zeroObject(at + HEAD, load<u32>(at));
    return at + HEAD;
  }
  exhausted(RESOURCE_ARENA);
  return 0;
}

/** Joins the free block at `at` with the free blocks after it. */
function absorb(at: usize, end: usize): void {
  let next = at + HEAD + load<u32>(at);
  while (next < end && !load<u32>(next, 4)) {
    store<u32>(at, load<u32>(at) + HEAD + load<u32>(next));
    next = at + HEAD + load<u32>(at);
  }
}

/** Frees an array of arenaAlloc(). Returns 0, as TypeScript expects of a call that may fail. */
export function arenaFree(payload: usize): i32 {
  const at = payload - HEAD;
  assert(load<u32>(at, 4) == 1, "arenaFree: not an array of the arena");
  store<u32>(at, 0, 4);
  absorb(at, header(HDR_ARENA_END));
  return 0;
}

/** Checks the chain of blocks. Returns 0, or the address of the block that is broken. */
export function arenaCheck(): usize {
  const end = header(HDR_ARENA_END);
  let at: usize = header(HDR_ARENA);
  while (at < end) {
    if (load<u32>(at, 4) > 1 || load<u32>(at) & 7) return at;
    at += load<u32>(at) + HEAD;
  }
  return at == end ? 0 : at;
}
