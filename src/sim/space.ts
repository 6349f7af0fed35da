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
