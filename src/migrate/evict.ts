import type { Context } from "../engine/context.ts";
import { run } from "../engine/request.ts";
import type { Page } from "../page/words.ts";
import { Migration } from "./migration.ts";

/**
 * Begins a migration of pages [first, first + n) of device memory, wherever they are mapped. Throws HmmError
 * ENOMEM.
 */
export function beginDeviceRange(ctx: Context, op: string, first: Page, n: number): Migration {
  return Migration.begin(ctx, op, run(ctx, ctx.core.migrateDeviceSetup(first, n)), null);
}

/** Begins a migration of the device pages that `pfns` names. Throws HmmError ENOMEM. */
export function beginDevicePfns(ctx: Context, op: string, pfns: ArrayLike<Page>): Migration {
  const n = pfns.length;
  // A copy: the operation may call drivers, which must not change the list under it.
  const id = ctx.withScratch(op, 4 * n, (address) => {
    ctx.mem.wordsAt(address, n).set(pfns);
    return run(ctx, ctx.core.migrateDevicePfns(address, n));
  });
  return Migration.begin(ctx, op, id, null);
}

/**
 * Migrates what it can of pages [first, first + n) of device memory to system memory. Returns how many pages
 * moved.
 */
export function evictPages(ctx: Context, op: string, first: Page, n: number): number {
  const migration = beginDeviceRange(ctx, op, first, n);
  try {
    if (migration.cpages === 0) return 0;
    const { src, dst, npages } = migration;
    ctx.core.systemAllocPages(src.byteOffset, dst.byteOffset, npages);
    ctx.core.copyPages(src.byteOffset, dst.byteOffset, npages);
    return migration.pages();
  } finally {
    migration.finalize();
  }
}
