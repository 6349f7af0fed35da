/** The state of an engine's memory, kept at the cost of what changes. */
import {
  HDR_ARENA_END,
  HDR_ARENA_HIGH,
  HDR_ARENA_OWN,
  HDR_ARENA_OWN_HIGH,
  HDR_FRAMES,
  HDR_MARKS,
  HDR_TABLE_META,
  HEADER,
  MARK_CHANGED,
  MARK_SHIFT,
} from "../../assembly/abi/header.ts";
import {
  POOL_BASE,
  POOL_CAPACITY,
  POOL_COUNT,
  POOL_HIGH,
  POOL_OBJECT_SIZE,
  RESOURCE_PAGE_TABLE,
} from "../../assembly/abi/pool.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import type { Memory } from "./memory.ts";

interface Part {
  readonly from: number;
  readonly to: number;
}

/** Bytes of frames that share a mark. */
const REGION = PAGE_SIZE << MARK_SHIFT;
/** Bytes of a page table's record (assembly/core/table/pagetable.ts). */
const TABLE_RECORD = 16;

/** The objects of each pool that were never in use, which are zero. */
export function unusedObjects(mem: Memory): Part[] {
  return Array.from({ length: POOL_COUNT }, (_, resource) => {
    const [base, size] = [mem.pool(resource, POOL_BASE), mem.pool(resource, POOL_OBJECT_SIZE)];
    const after = (id: number): number => base + size * (id + 1);
    return { from: after(mem.pool(resource, POOL_HIGH)), to: after(mem.pool(resource, POOL_CAPACITY)) };
  });
}

/**
 * Returns what has to be kept beside the bytes of frames, in ascending order: all memory without objects that
 * were never in use, which are zero. As more come into use, parts get longer, and begin where they did.
 */
function keptParts(mem: Memory): Part[] {
  const record = (id: number): number => mem.header(HDR_TABLE_META) + TABLE_RECORD * (id + 1);
  const left = [
    ...unusedObjects(mem),
    { from: mem.header(HDR_ARENA_HIGH), to: mem.header(HDR_ARENA_OWN) },
    { from: mem.header(HDR_ARENA_OWN_HIGH), to: mem.header(HDR_ARENA_END) },
  ];
  const [high, capacity] = [POOL_HIGH, POOL_CAPACITY].map((field) => mem.pool(RESOURCE_PAGE_TABLE, field));
  left.push({ from: record(high), to: record(capacity) });
  if (mem.header(HDR_FRAMES) !== 0) left.push({ from: mem.header(HDR_FRAMES), to: mem.header(HDR_MARKS) });
  let at = HEADER;
  return left
    .sort((a, b) => a.from - b.from)
    .map(({ from, to }) => {
      const part = { from: at, to: from };
      at = to;
      return part;
    });
}

/**
 * @internal An engine's memory as it was when save() was last called. The bytes of frames are kept and put
 * back in regions of 64 KiB, of those alone that have changed; all else, a hundredth of a usual engine's
 * memory, is kept whole.
 */
export class SavedMemory {
  readonly #mem: Memory;
  /** Regions of frames that are not zero, by their number. */
  readonly #regions = new Map<number, Uint8Array>();
  #parts: Part[] = [];
  #kept = new Uint8Array(0);

  constructor(mem: Memory) {
    this.#mem = mem;
    this.#keepRegions((mark) => mark !== 0);
    this.#keepParts();
  }

  /** Keeps the state of now: copies the regions that have changed since the state that was kept. */
  save(): void {
    this.#keepRegions((mark) => (mark & MARK_CHANGED) !== 0);
    this.#keepParts();
  }

  /** Puts the memory back. */
  rewind(): void {
    const { bytes } = this.#mem;
    for (const [region, at] of this.#marked((mark) => (mark & MARK_CHANGED) !== 0)) {
      const kept = this.#regions.get(region);
      if (kept === undefined) bytes.fill(0, at, this.#endOf(at));
      else bytes.set(kept, at);
    }
    const now = keptParts(this.#mem);
    let from = 0;
    this.#parts.forEach((part, i) => {
      const length = part.to - part.from;
      bytes.set(this.#kept.subarray(from, from + length), part.from);
      bytes.fill(0, part.to, now[i].to);
      from += length;
    });
  }

  #endOf(at: number): number {
    return Math.min(at + REGION, this.#mem.header(HDR_MARKS));
  }

  /** Lists the regions of frames whose mark is one of those asked for: their numbers and addresses. */
  #marked(asked: (mark: number) => boolean): [region: number, at: number][] {
    const frames = this.#mem.header(HDR_FRAMES);
    if (frames === 0) return [];
    const first = this.#mem.header(HDR_MARKS);
    const marks = this.#mem.bytes.subarray(first, first + Math.ceil((first - frames) / REGION));
    const found: [number, number][] = [];
    marks.forEach((mark, region) => {
      if (asked(mark)) found.push([region, frames + region * REGION]);
    });
    return found;
  }

  #keepRegions(asked: (mark: number) => boolean): void {
    const { bytes } = this.#mem;
    const first = this.#mem.header(HDR_MARKS);
    for (const [region, at] of this.#marked(asked)) {
      const now = bytes.subarray(at, this.#endOf(at));
      const kept = this.#regions.get(region);
      if (kept === undefined) this.#regions.set(region, now.slice());
      else kept.set(now);
      bytes[first + region] &= ~MARK_CHANGED;
    }
  }

  #keepParts(): void {
    this.#parts = keptParts(this.#mem);
    const length = this.#parts.reduce((sum, { from, to }) => sum + to - from, 0);
    if (this.#kept.length < length) this.#kept = new Uint8Array(length);
    let at = 0;
    for (const { from, to } of this.#parts) {
      this.#kept.set(this.#mem.bytes.subarray(from, to), at);
      at += to - from;
    }
  }
}
