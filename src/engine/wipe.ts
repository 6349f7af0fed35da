/** Memory of an engine that is given up, for another one. */
import { HEADER } from "../../assembly/abi/header.ts";
import {
  POOL_BASE,
  POOL_CAPACITY,
  POOL_COUNT,
  POOL_HIGH,
  POOL_OBJECT_SIZE,
} from "../../assembly/abi/pool.ts";
import type { Memory } from "./memory.ts";

/**
 * @internal Zeroes all memory that a booted core may have written, so that it can be laid out and booted
 * again for any configuration. The objects of a pool that never were in use are zero still and are left out:
 * they are most of a small engine's memory, and page tables are its end. The engine is dead afterwards.
 */
export function wipe(mem: Memory): void {
  const unused = Array.from({ length: POOL_COUNT }, (_, resource) => {
    const [base, size] = [mem.pool(resource, POOL_BASE), mem.pool(resource, POOL_OBJECT_SIZE)];
    const after = (id: number): number => base + size * (id + 1);
    return { from: after(mem.pool(resource, POOL_HIGH)), to: after(mem.pool(resource, POOL_CAPACITY)) };
  }).sort((a, b) => a.from - b.from);
  let at = HEADER;
  for (const { from, to } of unused) {
    mem.bytes.fill(0, at, from);
    at = to;
  }
}
