import { EINVAL } from "../../assembly/uapi/errno.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import {
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
} from "../../assembly/uapi/pfn.ts";
import { OWNER_ANY } from "../../assembly/abi/argument.ts";
import {
  badRange,
  badType,
  checkAddress,
  checkInteger,
  checkU32,
  checkWord,
  hex,
  HmmError,
  roundDown,
} from "../engine/errors.ts";
import type { MigrateSelect } from "../engine/protocol.ts";
import { run } from "../engine/request.ts";
import type { Page } from "../page/words.ts";
import { Vma } from "../space/vma.ts";
import { Migration } from "./migration.ts";

/** What {@link migrateVmaSetup} takes (`struct migrate_vma`). */
export interface MigrateVmaArgs {
  /** The mapping. null is EINVAL, as is any range that does not lie inside the mapping. */
  vma: Vma | null;
  /** The first byte, rounded down to a page. */
  start: number;
  /** The end, exclusive, rounded down to a page. */
  end: number;
  /**
   * Whose device pages may be collected: the owner that hmmDevmemAdd was given, a HmmDevmem, or an object
   * that has one as its `devmem`. Default: in a devmem's fault callback, that devmem's owner; else none.
   */
  owner?: unknown;
  /**
   * MIGRATE_VMA_SELECT_* bits. Default: system pages; in a devmem's fault callback, that device's pages. With
   * MIGRATE_VMA_SELECT_COMPOUND a huge page that lies wholly in the range stays one: its first slot has
   * MIGRATE_PFN_COMPOUND, and the 511 others are 0. An untouched, aligned 2 MiB that is all of the range is
   * one too. The rules of Linux 6.12 have no MIGRATE_VMA_SELECT_COMPOUND.
   */
  select?: MigrateSelect | undefined;
  /**
   * The page that a fault callback was given. Default: in a fault callback, its page, if start…end holds the
   * address.
   */
  faultPage?: Page | undefined;
}

/** Checks the arguments. Returns the mapping; null: EINVAL. */
function checkSetup(op: string, args: MigrateVmaArgs): Vma | null {
  if (typeof args !== "object" || args === null) throw badType(op, "args", "an object", args);
  const { vma } = args;
  if (vma === null || vma === undefined) return null;
  if (!(vma instanceof Vma)) throw badType(op, "vma", "a Vma", vma);
  vma.check(op);
  vma.mm.mmapSem.demand(op, false);
  checkAddress(op, "start", args.start);
  checkInteger(op, "end", args.end, 0, 2 ** 48);
  return vma;
}

/**
 * @internal Begins a migration; `legacy` applies the defaults of 2018. Returns -EINVAL where nothing was
 * done.
 */
export function setup(op: string, args: MigrateVmaArgs, legacy: boolean): Migration | number {
  const vma = checkSetup(op, args);
  if (vma === null) return -EINVAL;
  const start = roundDown(args.start, PAGE_SIZE);
  const end = roundDown(args.end, PAGE_SIZE);
  // The core checks the rest: the end, and whether HMM handles the mapping.
  if (start >= end || !vma.contains(start, start + PAGE_SIZE)) return -EINVAL;
  const ctx = vma.mm.check(op);
  const fault = ctx.faults.length > 0 ? ctx.faults[ctx.faults.length - 1] : undefined;
  const own = fault !== undefined && fault.mm === vma.mm && fault.address >= start && fault.address < end;
  const usual = legacy
    ? MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_DEVICE_PRIVATE
    : own
      ? MIGRATE_VMA_SELECT_DEVICE_PRIVATE
      : MIGRATE_VMA_SELECT_SYSTEM;
  const select = args.select === undefined ? usual : checkWord(op, "select", args.select);
  if ((select & MIGRATE_VMA_SELECT_COMPOUND) !== 0 && ctx.settings.linux === "6.12")
    throw badRange(op, "select", 'without MIGRATE_VMA_SELECT_COMPOUND, which needs linux: "7.3"', select);
  let owner = ctx.ownerNumber(args.owner);
  if (owner === 0) owner = own ? fault.devmem.ownerNumber : legacy ? OWNER_ANY : 0;
  const faultPage =
    args.faultPage === undefined ? (own ? fault.page : 0) : checkU32(op, "faultPage", args.faultPage);
  const id = run(ctx, ctx.core.migrateSetup(vma.mm.id, start, end, select, owner, faultPage));
  if (id === -EINVAL) return -EINVAL;
  return Migration.begin(ctx, op, id, vma);
}

/**
 * Begins a migration (migrate_vma_setup): collects the pages of [start, end), removes every CPU mapping of
 * them and locks them. Returns the migration, which the caller finalizes (`using`). mmapSem must be held
 * until `pages()` is done.
 *
 * Throws HmmError EINVAL (no mapping, a range outside of it, an empty range, a special mapping), ENOMEM (no
 * migration or no arena is left); TypeError (stale vma, lock not held) and RangeError (a number out of range,
 * a bit of select that the modeled kernel does not have) before anything happens.
 */
export function migrateVmaSetup(args: MigrateVmaArgs): Migration {
  const op = "migrateVmaSetup";
  const migration = setup(op, args, false);
  if (typeof migration !== "number") return migration;
  const { vma, start, end, faultPage } = args;
  if (vma == null) throw new HmmError(EINVAL, op, `vma must be a mapping that HMM handles, got ${vma}`);
  const page =
    faultPage === undefined ? "" : `; faultPage ${faultPage} must be what a fault callback was given`;
  const rule = "start…end must lie inside one mapping that HMM handles, and not be empty";
  throw new HmmError(EINVAL, op, `${rule}, got ${hex(start)}…${hex(end)}${page}`);
}
