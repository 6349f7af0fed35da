/**
 * An address space that grows by demand. A trace has no mmap calls, so what it touches gets memory: the 2 MiB-aligned
 * piece around the address becomes a private anonymous mapping, readable and writable, and the engine merges it with
 * its neighbours. 2 MiB is what one page of page tables covers: growth is rare and costs no tables that would not be
 * needed anyway, while pages still come to be one by one, on first touch.
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

/** Whether anything can be mapped at `addr`: not in the lowest 64 KiB, nor from the topmost user page on. */
export function mappable(addr: number): boolean {
  return addr >= MMAP_MIN_ADDR && addr < TASK_SIZE;
}

/** Makes a mapping around `addr`, which is mappable and in none. */
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
