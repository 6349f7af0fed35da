// The arena: arrays of any size in linear memory. Its first part holds the arrays that drivers see (pfn
// arrays, src and dst of a migration, arguments on their way in), its second part those that only the core
// sees.
//
//   HDR_ARENA                  HDR_ARENA_OWN              HDR_ARENA_END
//  ┌─────┬───────────┬────────┬──────────┬───────────────┐
//  │ src │ free …    │ array  │ src copy │ free …        │   blocks of whole granules of 64 bytes
//  └─────┴───────────┴────────┴──────────┴───────────────┘
//
// What a block is stands elsewhere: HDR_ARENA_HEADS is the address of a word for each granule, and the word
// of a block's first granule is its size in granules, times 2, plus 1 while the block is in use. So a driver
// that writes to an array which it has given back changes nothing but arrays of drivers, whose words are
// checked.
//
// An allocation takes the first free block that is large enough.

import {
  HDR_ARENA,
  HDR_ARENA_END,
  HDR_ARENA_HEADS,
  HDR_ARENA_HIGH,
  HDR_ARENA_OWN,
  HDR_ARENA_OWN_HIGH,
} from "../../abi/header";
import { ARENA_GRANULE } from "../../abi/argument";
import { RESOURCE_ARENA } from "../../abi/pool";
import { exhausted, header, mayAllocate, setHeader, zeroObject } from "./layout";

const GRANULE_SHIFT: u32 = 6;
if (1 << GRANULE_SHIFT != ARENA_GRANULE) ERROR("ARENA_GRANULE");

/** Returns the address of the head of the block at `at`. */
@inline
function headOf(at: usize): usize {
  return header(HDR_ARENA_HEADS) + (((<u32>at - header(HDR_ARENA)) >> GRANULE_SHIFT) << 2);
}

/** Returns the address after the block at `at`. */
@inline
function blockAfter(at: usize): usize {
  return at + ((load<u32>(headOf(at)) >> 1) << GRANULE_SHIFT);
}

/** Makes [start, end) one free block. */
function freeBlock(start: usize, end: usize): void {
  store<u32>(headOf(start), ((<u32>(end - start)) >> GRANULE_SHIFT) << 1);
}

/** Makes each part of the arena one free block; boot calls it once. */
export function arenaInit(): void {
  freeBlock(header(HDR_ARENA), header(HDR_ARENA_OWN));
  freeBlock(header(HDR_ARENA_OWN), header(HDR_ARENA_END));
  setHeader(HDR_ARENA_HIGH, header(HDR_ARENA));
  setHeader(HDR_ARENA_OWN_HIGH, header(HDR_ARENA_OWN));
}

/**
 * Allocates an array that drivers see: at least `bytes` bytes, zeroed, 64-byte aligned. Returns its address;
 * 0 when no block is large enough, which the header then reports as RESOURCE_ARENA.
 */
export function arenaAlloc(bytes: u32): usize {
  return allocate(bytes, header(HDR_ARENA), header(HDR_ARENA_OWN), HDR_ARENA_HIGH);
}

/** Allocates an array as arenaAlloc() does, which no driver sees. */
export function arenaAllocOwn(bytes: u32): usize {
  return allocate(bytes, header(HDR_ARENA_OWN), header(HDR_ARENA_END), HDR_ARENA_OWN_HIGH);
}

/** @param high the word of the header that says up to where this part was ever allocated */
function allocate(bytes: u32, start: usize, end: usize, high: u32): usize {
  if (!mayAllocate()) return 0;
  const granules = <u32>((<u64>max<u32>(bytes, 1) + ARENA_GRANULE - 1) >> GRANULE_SHIFT);
  const first = headOf(start);
  const last = headOf(end);
  for (let head = first; head < last; head += (load<u32>(head) >> 1) << 2) {
    if (load<u32>(head) & 1) continue;
    const at = start + ((head - first) << (GRANULE_SHIFT - 2));
    absorb(at, end);
    const room = load<u32>(head) >> 1;
    if (room < granules) continue;
    if (room > granules) freeBlock(at + (granules << GRANULE_SHIFT), at + (room << GRANULE_SHIFT));
    store<u32>(head, (granules << 1) | 1);
    zeroObject(at, granules << GRANULE_SHIFT);
    setHeader(high, max<u32>(header(high), <u32>at + (granules << GRANULE_SHIFT)));
    return at;
  }
  exhausted(RESOURCE_ARENA);
  return 0;
}

/** Joins the free block at `at` with the free blocks after it, up to `end`. */
function absorb(at: usize, end: usize): void {
  let next = blockAfter(at);
  while (next < end && !(load<u32>(headOf(next)) & 1)) next = blockAfter(next);
  freeBlock(at, next);
}

/** Frees an array of arenaAlloc() or arenaAllocOwn(). Returns 0, as TypeScript expects of a call. */
export function arenaFree(at: usize): i32 {
  const own = header(HDR_ARENA_OWN);
  assert(load<u32>(headOf(at)) & 1 && !(at & (ARENA_GRANULE - 1)), "arenaFree: not an array of the arena");
  absorb(at, <u32>at < own ? own : header(HDR_ARENA_END));
  return 0;
}

/** Checks the chain of blocks. Returns 0, or the address of the block that is broken. */
export function arenaCheck(): usize {
  const end: usize = header(HDR_ARENA_END);
  let at: usize = header(HDR_ARENA);
  let border = false;
  while (at < end) {
    if (!(load<u32>(headOf(at)) >> 1)) return at;
    if (<u32>at == header(HDR_ARENA_OWN)) border = true;
    at = blockAfter(at);
  }
  return at == end && border ? 0 : at;
}
