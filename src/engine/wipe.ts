/** Memory of an engine that is given up, for another one. */
import { HEADER } from "../../assembly/abi/header.ts";
import type { Memory } from "./memory.ts";
import { unusedObjects } from "./saved-memory.ts";

/**
 * @internal Zeroes all memory that a booted core may have written, so that it can be laid out and booted
 * again for any configuration. The objects of a pool that never were in use are zero still and are left out:
 * they are most of a small engine's memory, and page tables are its end. The engine is dead afterwards.
 */
export function wipe(mem: Memory): void {
  let at = HEADER;
  for (const { from, to } of unusedObjects(mem).sort((a, b) => a.from - b.from)) {
    mem.bytes.fill(0, at, from);
    at = to;
  }
}
