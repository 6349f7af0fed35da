// The memory map: where each table lies in linear memory, computed once from the boot configuration.
//
//   0        4096          HEADER (0x10000)
//  ┌────────┬──────────────┬────────────────────────────────┬─────────────────┬───────────┬───────┐
//  │ zeros  │ static data  │ header, pools, zones, commands │ exchange buffer │ event log │ pools │ …
//  └────────┴──────────────┴────────────────────────────────┴─────────────────┴───────────┴───────┘
//  ┌────────────┬───────┬────────┬────────┬───────────┬───────────────┬───────────────┬─────────────┐
//  │ KSM chains │ arena │ blocks │ folios │ swap hash │ frames, marks │ table records │ page tables │
//  └────────────┴───────┴────────┴────────┴───────────┴───────────────┴───────────────┴─────────────┘
//
// Page tables come last: there may be as many as pages of system memory, few are mostly in use, and a
// snapshot ends with the last one that was.
//
// The core has no mutable globals: the addresses of the map are words of the header. The zeros before the
// static data are a page table of empty entries, which readPte() relies on.

import { EINVAL, ENOMEM } from "../../uapi/errno";
import { PAGE_SIZE, PMD_PAGES } from "../../uapi/page";
import { PFN_MASK } from "../../uapi/pfn";
import { ARENA_GRANULE, XBUF_SIZE } from "../../abi/argument";
import {
  BOOT_ARENA_BYTES,
  BOOT_CAPACITY,
  BOOT_DATA,
  BOOT_DEVICE_FRAMES,
  BOOT_LOG_ENTRIES,
  BOOT_SWAP_FRAMES,
  BOOT_SYSTEM_FRAMES,
} from "../../abi/boot";
import { BLOCK_SIZE, FOLIO_SIZE, RESERVED_FRAMES as RESERVED } from "../../abi/frame";
import {
  BOOT_CONFIG,
  COMMANDS,
  COMMAND_COUNT,
  COMMAND_SIZE,
  HDR_ARENA,
  HDR_ARENA_END,
  HDR_ARENA_HEADS,
  HDR_ARENA_OWN,
  HDR_BLOCKS,
  HDR_DEVICE_BASE,
  HDR_DEVICE_FRAMES,
  HDR_DEVICE_NEXT,
  HDR_END,
  HDR_EXHAUSTED,
  HDR_FAIL_ALLOC,
  HDR_FAULT_AROUND,
  HDR_FLAGS,
  HDR_FLAG_SWAP,
  HDR_FLAG_TABLES_COUNT,
  HDR_FOLIOS,
  HDR_FRAMES,
  HDR_KSM_HASH,
  HDR_KSM_HASH_MASK,
  HDR_LOG,
  HDR_LOG_ENTRIES,
  HDR_MARKS,
  HDR_SWAP_FRAMES,
  HDR_SWAP_HASH,
  HDR_SWAP_HASH_MASK,
  HDR_SYSTEM_FRAMES,
  HDR_TABLE_META,
  HDR_XBUF,
  HDR_ZERO_PFN,
  HEADER,
  MARK_SHIFT,
  POOLS,
} from "../../abi/header";
import { LOG_RECORD_SIZE } from "../../abi/log";
import {
  POOL_BASE,
  POOL_CAPACITY,
  POOL_OBJECT_SIZE,
  POOL_STRIDE,
  RESOURCE_ANON_VMA,
  RESOURCE_AVC,
  RESOURCE_DEVICE_TABLE,
  RESOURCE_FILE,
  RESOURCE_INJECTED,
  RESOURCE_KSM_ITEM,
  RESOURCE_KSM_NODE,
  RESOURCE_MEMCG,
  RESOURCE_MIGRATION,
  RESOURCE_MM,
  RESOURCE_NOTIFIER,
  RESOURCE_PAGE_TABLE,
  RESOURCE_VMA,
} from "../../abi/pool";

/** The number of frames before the first that can be allocated: pfn 0 ("none") and pfn 1 (the zero page). */
export const RESERVED_FRAMES: u32 = RESERVED;
/** The number of pages of a large folio: a huge mapping covers as many. */
export const LARGE_PAGES: u32 = <u32>PMD_PAGES;
/**
 * The number of blocks without frames before device memory, where system memory has GAP_FROM frames or more.
 * Sizes of memory are mostly multiples of 256 MiB, and pages at such a distance alias in L1, which makes a
 * copy 50 % slower.
 */
const GAP_BLOCKS: u64 = 2;
const GAP_FROM: u64 = 1 << 15;
/** The page tables that every engine has at least, by default. */
const TABLES_MIN: u64 = 2048;
/** The largest memory map in bytes. */
const MAP_MAX: u64 = 0xffff0000;
/** The sizes of the pools' objects in bytes, which their classes check. */
export const MM_SIZE: u32 = 96;
export const VMA_SIZE: u32 = 72;
export const ANON_VMA_SIZE: u32 = 28;
export const AVC_SIZE: u32 = 24;
export const NOTIFIER_SIZE: u32 = 72;
const MEMCG_SIZE: u32 = 16;
export const MIGRATION_SIZE: u32 = 96;
export const DEVICE_TABLE_SIZE: u32 = 16;
export const FILE_SIZE: u32 = 48;
export const KSM_NODE_SIZE: u32 = 24;
export const KSM_ITEM_SIZE: u32 = 40;
/** The size of a page table's record in bytes (table/pagetable.ts). */
export const TABLE_META_SIZE: u32 = 16;

/** Returns a word of the header (HDR_*). */
@inline
export function header(offset: u32): u32 {
  return load<u32>(HEADER + offset);
}

/** Sets a word of the header (HDR_*). */
@inline
export function setHeader(offset: u32, value: u32): void {
  store<u32>(HEADER + offset, value);
}

/** Sets a field of the header that TypeScript reads as a float64: addresses and counts beyond 32 bits. */
@inline
export function setHeaderF64(offset: u32, value: u64): void {
  store<f64>(HEADER + offset, <f64>value);
}

/**
 * From this size in bytes on memory.fill and memory.copy are faster than a loop: they call out of the module,
 * which takes 20 ns.
 */
const FILL_MIN: u32 = 512;

/** Zeroes `bytes` bytes at `at`: a multiple of 4. */
export function zeroObject(at: usize, bytes: u32): void {
  if (bytes >= FILL_MIN) return memory.fill(at, 0, bytes);
  const end = at + bytes;
  for (; at + 16 <= end; at += 16) v128.store(at, i64x2.splat(0));
  for (; at < end; at += 4) store<u32>(at, 0);
}

/** Copies n words (u32) from `from` to `to`, which do not overlap. */
export function copyWords(to: usize, from: usize, n: u32): void {
  if (n * 4 >= FILL_MIN) return memory.copy(to, from, n * 4);
  const end = from + n * 4;
  for (; from + 16 <= end; from += 16, to += 16) v128.store(to, v128.load(from));
  for (; from < end; from += 4, to += 4) store<u32>(to, load<u32>(from));
}

/** Notes in the header which table or memory ran out (RESOURCE_*). The caller then returns 0 or -ENOMEM. */
export function exhausted(table: u32): void {
  setHeader(HDR_EXHAUSTED, table);
}

/**
 * Fault injection: returns false for the n-th allocation after HDR_FAIL_ALLOC was set to n; true otherwise.
 */
@inline
export function mayAllocate(): bool {
  if (!header(HDR_FAIL_ALLOC)) return true;
  return injectedFailure();
}

/** Counts the allocations down to the one that fails. Returns false for it. */
@inline
function injectedFailure(): bool {
  const left = header(HDR_FAIL_ALLOC) - 1;
  setHeader(HDR_FAIL_ALLOC, left);
  if (left) return true;
  exhausted(RESOURCE_INJECTED);
  return false;
}

/** Returns the address of a pool's descriptor (RESOURCE_*), whose fields are POOL_*. */
@inline
export function pool(table: u32): usize {
  return HEADER + POOLS + table * POOL_STRIDE;
}

/** Returns the number of objects that a pool is configured for. */
function capacity(table: u32): u32 {
  return load<u32>(HEADER + BOOT_CONFIG + BOOT_CAPACITY + table * 4);
}

/** Configures a pool for `value` objects, unless its capacity is set. */
function defaultCapacity(table: u32, value: u32): void {
  const at = HEADER + BOOT_CONFIG + BOOT_CAPACITY + table * 4;
  if (!load<u32>(at)) store<u32>(at, value);
}

/** Sets the capacities that the configuration leaves 0. `mergeable`: the frames that KSM may merge. */
function defaults(frames: u32, mergeable: u32): void {
  defaultCapacity(RESOURCE_MM, 1024);
  defaultCapacity(RESOURCE_VMA, 65530);
  defaultCapacity(RESOURCE_ANON_VMA, 65535);
  defaultCapacity(RESOURCE_AVC, 131072);
  defaultCapacity(RESOURCE_NOTIFIER, 256 + frames / 128);
  defaultCapacity(RESOURCE_MEMCG, 255);
  defaultCapacity(RESOURCE_MIGRATION, 64);
  defaultCapacity(RESOURCE_DEVICE_TABLE, 64);
  defaultCapacity(RESOURCE_FILE, 1024);
  defaultCapacity(RESOURCE_KSM_NODE, 1 + mergeable / 4);
  defaultCapacity(RESOURCE_KSM_ITEM, 1 + mergeable);
}

/** Rounds `value` up to a multiple of `to`, a power of two. */
@inline
function alignUp(value: u64, to: u64): u64 {
  return (value + to - 1) & ~(to - 1);
}

/** Places a pool of objects of `size` bytes at `at`. Returns the address after it. */
function placePool(table: u32, size: u32, at: u64): u64 {
  const p = pool(table);
  store<u32>(p, <u32>at, POOL_BASE);
  store<u32>(p, size, POOL_OBJECT_SIZE);
  store<u32>(p, capacity(table), POOL_CAPACITY);
  return alignUp(at + <u64>size * <u64>(capacity(table) + 1), 64);
}

/**
 * Computes the memory map from the boot configuration, whose capacities of 0 get their defaults. Returns the
 * map's size in bytes; -EINVAL for a configuration out of bounds; -ENOMEM where the map does not fit 4 GiB.
 */
export function layoutBytes(): f64 {
  const config = HEADER + BOOT_CONFIG;
  const system: u64 = load<u32>(config + BOOT_SYSTEM_FRAMES);
  const device: u64 = load<u32>(config + BOOT_DEVICE_FRAMES);
  if (!system) return <f64>-EINVAL;
  const gap = system < GAP_FROM ? 0 : GAP_BLOCKS * PMD_PAGES;
  const deviceBase = alignUp(RESERVED_FRAMES + system, PMD_PAGES) + gap;
  const swap: u64 = load<u32>(config + BOOT_SWAP_FRAMES);
  const frames = deviceBase + alignUp(device, PMD_PAGES) + alignUp(swap, PMD_PAGES);
  if (frames > <u64>PFN_MASK) return <f64>-ENOMEM;
  // Without page contents KSM has nothing to merge.
  defaults(<u32>frames, load<u32>(config + BOOT_DATA) ? <u32>system : 0);
  if (
    capacity(RESOURCE_ANON_VMA) > 0xffff ||
    capacity(RESOURCE_FILE) > 0xffff ||
    capacity(RESOURCE_MEMCG) > 0xff
  )
    return <f64>-EINVAL;
  if (!load<u32>(config + BOOT_ARENA_BYTES))
    store<u32>(config + BOOT_ARENA_BYTES, <u32>(0x400000 + frames * 8));

  let at: u64 = HEADER + COMMANDS + COMMAND_SIZE * COMMAND_COUNT;
  setHeader(HDR_XBUF, <u32>at);
  at += XBUF_SIZE;
  setHeader(HDR_LOG, <u32>at);
  setHeader(HDR_LOG_ENTRIES, load<u32>(config + BOOT_LOG_ENTRIES));
  at = alignUp(at + <u64>load<u32>(config + BOOT_LOG_ENTRIES) * LOG_RECORD_SIZE, 64);
  at = placePool(RESOURCE_MM, MM_SIZE, at);
  at = placePool(RESOURCE_VMA, VMA_SIZE, at);
  at = placePool(RESOURCE_ANON_VMA, ANON_VMA_SIZE, at);
  at = placePool(RESOURCE_AVC, AVC_SIZE, at);
  at = placePool(RESOURCE_NOTIFIER, NOTIFIER_SIZE, at);
  at = placePool(RESOURCE_MEMCG, MEMCG_SIZE, at);
  at = placePool(RESOURCE_MIGRATION, MIGRATION_SIZE, at);
  at = placePool(RESOURCE_DEVICE_TABLE, DEVICE_TABLE_SIZE, at);
  at = placePool(RESOURCE_FILE, FILE_SIZE, at);
  at = placePool(RESOURCE_KSM_NODE, KSM_NODE_SIZE, at);
  at = placePool(RESOURCE_KSM_ITEM, KSM_ITEM_SIZE, at);
  at = placeHash(at);
  at = placeArena(at);
  return <f64>placeFrames(at, system, device, deviceBase, frames);
}

/**
 * Places the arena and the heads of its blocks. The configured bytes are those of drivers' arrays. For 8
 * bytes of them (a word of src and one of dst) a migration has 9 of its own. Returns the address after them.
 */
function placeArena(from: u64): u64 {
  const bytes = alignUp(load<u32>(HEADER + BOOT_CONFIG + BOOT_ARENA_BYTES), ARENA_GRANULE);
  const own = alignUp((bytes / 8) * 9, ARENA_GRANULE);
  setHeader(HDR_ARENA_HEADS, <u32>from);
  const at = alignUp(from + ((bytes + own) / ARENA_GRANULE) * 4, ARENA_GRANULE);
  setHeader(HDR_ARENA, <u32>at);
  setHeader(HDR_ARENA_OWN, <u32>(at + bytes));
  setHeader(HDR_ARENA_END, <u32>(at + bytes + own));
  return at + bytes + own;
}

/** Places KSM's two tables of chains, with about two nodes a chain. Returns the address after them. */
function placeHash(at: u64): u64 {
  const chains: u64 = (<u64>1) << (63 - clz<u64>(capacity(RESOURCE_KSM_NODE) / 2 + 1));
  setHeader(HDR_KSM_HASH, <u32>at);
  setHeader(HDR_KSM_HASH_MASK, <u32>chains - 1);
  return alignUp(at + chains * 8, 64);
}

/**
 * Places the page tables and their records at `at`. By default there is one for each page of system memory,
 * which they count as, and some for files and device tables; fewer where the memory map would not fit 4 GiB.
 * With a capacity of their own they do not count. Returns the address after them.
 */
function placeTables(at: u64, system: u64, frames: u64): u64 {
  const each: u64 = PAGE_SIZE + TABLE_META_SIZE;
  const least = TABLES_MIN + frames / 128;
  const room = at < MAP_MAX ? (MAP_MAX - at) / each : 0;
  defaultCapacity(RESOURCE_PAGE_TABLE, <u32>max(least, min(system + least, room > 4 ? room - 4 : 0)));
  setHeader(HDR_TABLE_META, <u32>at);
  at = alignUp(at + <u64>TABLE_META_SIZE * <u64>(capacity(RESOURCE_PAGE_TABLE) + 1), PAGE_SIZE);
  return alignUp(placePool(RESOURCE_PAGE_TABLE, PAGE_SIZE, at), PAGE_SIZE);
}

/**
 * Places what grows with the number of frames, and sets the header's numbers. Returns the map's size, or
 * -ENOMEM.
 */
function placeFrames(from: u64, system: u64, device: u64, deviceBase: u64, frames: u64): i64 {
  const config = HEADER + BOOT_CONFIG;
  const swap: u64 = load<u32>(config + BOOT_SWAP_FRAMES);
  const data = load<u32>(config + BOOT_DATA);
  let at = from;
  setHeader(HDR_BLOCKS, <u32>at);
  at = alignUp(at + (frames / PMD_PAGES) * BLOCK_SIZE, 64);
  setHeader(HDR_FOLIOS, <u32>at);
  at = alignUp(at + frames * FOLIO_SIZE, PAGE_SIZE);
  const cells = swap ? (<u64>1) << (65 - clz(swap)) : 0;
  setHeader(HDR_SWAP_HASH, <u32>at);
  setHeader(HDR_SWAP_HASH_MASK, <u32>cells - 1);
  setHeader(HDR_SWAP_FRAMES, <u32>swap);
  at = alignUp(at + cells * 8, PAGE_SIZE);
  setHeader(HDR_FRAMES, data ? <u32>at : 0);
  if (data) at += frames * PAGE_SIZE;
  setHeader(HDR_MARKS, data ? <u32>at : 0);
  if (data) at = alignUp(at + ((frames >> MARK_SHIFT) + 1), 64);
  const apart = capacity(RESOURCE_PAGE_TABLE) != 0;
  at = placeTables(at, system, frames);
  if (at > MAP_MAX) return -ENOMEM;
  setHeader(HDR_END, <u32>(alignUp(at, 0x10000) >> 16));
  setHeader(HDR_FLAGS, (swap ? HDR_FLAG_SWAP : 0) | (apart ? 0 : HDR_FLAG_TABLES_COUNT));
  setHeader(HDR_SYSTEM_FRAMES, <u32>system);
  setHeader(HDR_DEVICE_FRAMES, <u32>device);
  setHeader(HDR_DEVICE_BASE, <u32>deviceBase);
  setHeader(HDR_DEVICE_NEXT, <u32>deviceBase);
  setHeader(HDR_ZERO_PFN, 1);
  setHeader(HDR_FAULT_AROUND, 16);
  return <i64>at;
}
