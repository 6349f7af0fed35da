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
