/**
 * An address space that grows on demand. A trace has no mmap calls, so an access to unmapped memory maps it:
 * the 2 MiB-aligned piece around the address becomes a private anonymous mapping, readable and writable, and
 * the engine merges it with its neighbors. One page of page tables covers 2 MiB, so growth is rare and needs
 * no extra tables; pages are still made one by one, on first touch.
 */
import { MMAP_MIN_ADDR, PMD_SIZE, TASK_SIZE } from "../../assembly/uapi/page.ts";
import {
  MAP_ANONYMOUS,
  MAP_FIXED_NOREPLACE,
  MAP_PRIVATE,
  PROT_READ,
  PROT_WRITE,
} from "../../assembly/uapi/vm.ts";
import type { Mm } from "../index.ts";

/** Mappings that are remembered: a program goes back and forth between a few of its arrays. */
const KEPT = 4;

/** A range of addresses: the first one, and the first one after it. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** The mappings of an address space that only grows, for who asks often. */
export class GrowingSpace {
  /** How often the address space has grown. */
  growths: number;
  readonly #mm: Mm;
  /** Mappings that were found since the last growth, the one found last at the end. */
  #found: Span[] = [];

  /** @param growths how often the address space has grown so far */
  constructor(mm: Mm, growths = 0) {
    this.#mm = mm;
    this.growths = growths;
  }

  /** Returns the mapping around an address; null if there is none. */
  at(addr: number): Span | null {
    const found = this.#found;
    for (let i = found.length - 1; i >= 0; i--)
      if (addr >= found[i].start && addr < found[i].end) return found[i];
    const vma = this.#mm.findVma(addr);
    if (vma === null) return null;
    const span = { start: vma.start, end: vma.end };
    if (found.push(span) > KEPT) found.shift();
    return span;
  }

  /**
   * Returns the mapping around an address, which is mappable, and makes one if there is none. Throws HmmError
   * ENOMEM if there is no room for it.
   */
  grownAt(addr: number): Span {
    const span = this.at(addr);
    if (span !== null) return span;
    grow(this.#mm, addr);
    this.growths++;
    this.#found = []; // the new piece may have joined one of them
    return this.at(addr)!;
  }
}

/** Whether anything can be mapped at `addr`: not in the lowest 64 KiB, and not at or above TASK_SIZE. */
export function mappable(addr: number): boolean {
  return addr >= MMAP_MIN_ADDR && addr < TASK_SIZE;
}

/**
 * Maps the piece around `addr`, which is mappable and in no mapping. Throws HmmError ENOMEM if there is no
 * room.
 */
export function grow(mm: Mm, addr: number): void {
  const piece = addr - (addr % PMD_SIZE);
  const start = Math.max(piece, MMAP_MIN_ADDR);
  mm.mmap({
    addr: start,
    length: Math.min(piece + PMD_SIZE, TASK_SIZE) - start,
    prot: PROT_READ | PROT_WRITE,
    flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
  });
}
