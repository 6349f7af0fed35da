/** Hashes the state of engines, so that the explorer recognizes a state that it has explored. */
import { PAGE_SIZE, PMD_PAGES } from "../../assembly/uapi/page.ts";
import { BLOCK_SIZE, FOLIO_COUNT_MASK, FOLIO_REFS, FOLIO_SIZE } from "../../assembly/abi/frame.ts";
import {
  COUNTERS,
  HDR_ARENA_END,
  HDR_ARENA_HEADS,
  HDR_BLOCKS,
  HDR_FOLIOS,
  HDR_FRAMES,
  HDR_LOG,
  HDR_LOG_ENTRIES,
  HDR_TABLE_META,
  HDR_XBUF,
  HEADER,
  POOLS,
  ZONES,
} from "../../assembly/abi/header.ts";
import { LOG_RECORD_SIZE } from "../../assembly/abi/log.ts";
import { MM_VMA_CACHE } from "../../assembly/abi/object.ts";
import {
  POOL_BASE,
  POOL_HIGH,
  POOL_OBJECT_SIZE,
  RESOURCE_MM,
  RESOURCE_PAGE_TABLE,
} from "../../assembly/abi/pool.ts";
import { ZONE_COUNT, ZONE_SIZE } from "../../assembly/abi/zone.ts";
import type { Memory } from "../engine/memory.ts";
import type { EngineState } from "../inside.ts";
import { arenaBlocks } from "./arena.ts";

/** A running hash of 64 bits, in two lanes. */
export class Hash {
  #a = 0x9e3779b9;
  #b = 0x85ebca6b;

  /** Takes in a number's integer part, up to 53 bits. */
  number(value: number): void {
    this.#mix(value | 0, Math.floor(value / 2 ** 32));
  }

  /** Takes in a string. */
  text(value: string): void {
    this.number(value.length);
    for (let i = 0; i < value.length; i++) this.#mix(value.charCodeAt(i), i);
  }

  /** Takes in another hash. */
  hash(other: Hash): void {
    this.#mix(other.#a, other.#b);
  }

  /**
   * Takes in the words of [from, to), byte addresses. A word that is 0 costs nothing: the others are taken in
   * with their place.
   */
  words(words: Uint32Array, from: number, to: number): void {
    let a = this.#a;
    let b = this.#b;
    for (let i = from >>> 2, end = to >>> 2; i < end; i++) {
      const word = words[i];
      if (word === 0) continue;
      a = Math.imul((a ^ word ^ (a >>> 15)) + i, 0x2c1b3c6d);
      b = Math.imul((b ^ i ^ (b >>> 13)) + word, 0x297a2d39);
    }
    this.#a = a;
    this.#b = b;
  }

  /** 53 bits of the hash. */
  get value(): number {
    const a = Math.imul(this.#a ^ (this.#a >>> 16), 0x85ebca6b);
    const b = Math.imul(this.#b ^ (this.#b >>> 16), 0xc2b2ae35);
    return (a >>> 0) * 2 ** 21 + (b >>> 11);
  }

  #mix(x: number, y: number): void {
    this.#a = Math.imul(this.#a ^ x ^ (this.#a >>> 15), 0x2c1b3c6d) + y;
    this.#b = Math.imul(this.#b ^ y ^ (this.#b >>> 13), 0x297a2d39) + x;
  }
}

/**
 * Takes in the engine's state between two API calls: linear memory without what does not affect the future
 * (results and scratch of the last operation, counters, the event log, lookup caches, free arrays and free
 * frames), and state in JavaScript: held locks and tracked 2018 ranges.
 */
export function hashEngine(hash: Hash, state: EngineState): void {
  hashMemory(hash, state.mem);
  for (const mm of state.mms) {
    hash.number(mm.id);
    hash.text(mm.mmapSem.mode + mm.mmapSem.holders.join());
    for (const { start, end, valid, pfns } of mm.ranges) {
      hash.text(`range ${start} ${end} ${valid} ${pfns?.join() ?? ""}`);
    }
  }
}

/** Bytes of a page table's record (assembly/core/table/pagetable.ts). */
const TABLE_RECORD = 16;

function hashMemory(hash: Hash, mem: Memory): void {
  const { words } = mem;
  const logEnd = mem.header(HDR_LOG) + mem.header(HDR_LOG_ENTRIES) * LOG_RECORD_SIZE;
  const tables = mem.pool(RESOURCE_PAGE_TABLE, POOL_BASE);
  hash.words(words, HEADER + HDR_XBUF, HEADER + COUNTERS);
  hash.words(words, HEADER + POOLS, HEADER + ZONES + ZONE_COUNT * ZONE_SIZE);
  hashWithout(hash, words, logEnd, mem.header(HDR_ARENA_HEADS), lookupCaches(mem));
  hashArena(hash, mem);
  // Blocks and folios; then the page tables that were ever used, with their records.
  const records = mem.header(HDR_TABLE_META);
  hash.words(words, mem.header(HDR_ARENA_END), mem.header(HDR_FRAMES) || records);
  const used = mem.pool(RESOURCE_PAGE_TABLE, POOL_HIGH) + 1;
  hash.words(words, records, records + used * TABLE_RECORD);
  hash.words(words, tables, tables + used * PAGE_SIZE);
  hashFrames(hash, mem);
}

/** The addresses of the words in which address spaces keep the mapping that they found last. */
function lookupCaches(mem: Memory): number[] {
  const size = mem.pool(RESOURCE_MM, POOL_OBJECT_SIZE);
  return Array.from(
    { length: mem.pool(RESOURCE_MM, POOL_HIGH) },
    (_, i) => mem.pool(RESOURCE_MM, POOL_BASE) + (i + 1) * size + MM_VMA_CACHE,
  );
}

/** Takes in [from, to) without the words at `left`, ascending. */
function hashWithout(hash: Hash, words: Uint32Array, from: number, to: number, left: number[]): void {
  for (const address of left) {
    hash.words(words, from, address);
    from = address + 4;
  }
  hash.words(words, from, to);
}

/** Takes in the arena: the heads of its blocks, and those blocks that are in use. */
function hashArena(hash: Hash, mem: Memory): void {
  for (const { start, end, head, used } of arenaBlocks((address) => mem.u32(address))) {
    hash.number(mem.u32(head));
    if (used) hash.words(mem.words, start, end);
  }
}

/** Takes in the bytes of the frames that have a reference. */
function hashFrames(hash: Hash, mem: Memory): void {
  const frames = mem.header(HDR_FRAMES);
  if (frames === 0) return;
  const folios = mem.header(HDR_FOLIOS);
  // Of system memory, device memory and swap space: a block is 512 of them. Folios follow the blocks,
  // aligned.
  const end = Math.floor((folios - mem.header(HDR_BLOCKS)) / BLOCK_SIZE) * PMD_PAGES;
  const { words } = mem;
  for (let pfn = 0, at = (folios + FOLIO_REFS) >>> 2; pfn < end; pfn++, at += FOLIO_SIZE / 4) {
    if ((words[at] & FOLIO_COUNT_MASK) === 0) continue;
    hash.words(words, frames + pfn * PAGE_SIZE, frames + (pfn + 1) * PAGE_SIZE);
  }
}
