import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { contextOf, type Context } from "../engine/context.ts";
import { badType, checkFlag, checkInteger, checkMethod, checkOptions, checkText } from "../engine/errors.ts";
import type { Forward } from "../engine/forward.ts";
import { beginDevicePfns, beginDeviceRange } from "../migrate/evict.ts";
import type { Migration } from "../migrate/migration.ts";
import type { Page } from "../page/words.ts";
import { HmmDevmem, type HmmDevmemOps } from "./devmem.ts";

/**
 * Gives a device memory of its own (hmm_devmem_add): `size` bytes of the engine's device memory, rounded up
 * to 2 MiB. Returns the memory, which the caller removes or closes.
 * @param owner any value but null: devmems with equal values have one owner. It is what hmmRangeFault and
 * migrateVmaSetup take as `owner`
 * @param options.coherent CPUs map its pages and access them directly: accesses do not fault, and `fault` is
 * never called. Default false: device-private memory
 * @param options.id a stable name for Hmm.restore. Default: "devmem1", "devmem2", …
 *
 * Throws RangeError and TypeError for bad arguments and for the id of another devmem, HmmError ENOMEM if so
 * much memory is not left, or if there are 14 devmems already.
 */
export function hmmDevmemAdd(
  hmm: Forward["Hmm"],
  ops: HmmDevmemOps,
  owner: unknown,
  size: number,
  options: { id?: string | undefined; coherent?: boolean | undefined } = {},
): HmmDevmem {
  const op = "hmmDevmemAdd";
  const ctx = contextOf(op, hmm);
  checkMethod(op, "ops", ops, "fault");
  checkMethod(op, "ops", ops, "free", true);
  checkMethod(op, "ops", ops, "faultAsync", true);
  if (owner === null || owner === undefined) throw badType(op, "owner", "a value that is not null", owner);
  checkInteger(op, "size", size, PAGE_SIZE, 2 ** 39);
  checkOptions(op, "options", options);
  checkText(op, "options.id", options.id);
  const { coherent = false } = options;
  const kind = checkFlag(op, "options.coherent", coherent) ? 1 : 0;
  const id = ctx.newId(op, "devmem", options.id);
  const zone = ctx.finish(op, ctx.core.devmemAdd(size, ctx.owners.number(owner), kind));
  return HmmDevmem.open(ctx, zone, ops, owner, id);
}

/** What {@link hmmDevmemRemove} could not do. */
export interface DevmemRemoveReport {
  /** How many pages could not be brought back to system memory; 0: the memory is removed. */
  stillInUse: number;
}

/**
 * Removes a device's memory (hmm_devmem_remove): no page is allocated from it any more, its pages are
 * migrated back to system memory in every address space, and then the memory is given back. Pages that cannot
 * move (no system memory, extra references, an open migration) keep it alive: the report says how many, and
 * the call may be repeated. null is tolerated. Throws TypeError for other values, for a removed devmem, and
 * inside a driver's callback.
 */
export function hmmDevmemRemove(devmem: HmmDevmem | null): DevmemRemoveReport {
  const op = "hmmDevmemRemove";
  if (devmem === null) return { stillInUse: 0 };
  checkDevmem(op, devmem);
  return { stillInUse: devmem.remove(op) };
}

/**
 * Begins a migration of pages [first, first + n) of device memory, wherever they are mapped, for eviction
 * (migrate_device_range). Free pages and pages that are locked stay where they are. No lock is needed.
 * Returns the migration, which the caller finalizes.
 *
 * Throws TypeError, RangeError unless all are pages of devmem, HmmError ENOMEM.
 */
export function migrateDeviceRange(devmem: HmmDevmem, first: Page, n: number): Migration {
  const op = "migrateDeviceRange";
  const ctx = checkDevmem(op, devmem);
  checkInteger(op, "first", first, devmem.pfnFirst, devmem.pfnEnd - 1);
  checkInteger(op, "n", n, 1, devmem.pfnEnd - first);
  return beginDeviceRange(ctx, op, first, n);
}

/**
 * Begins a migration of any pages of device memory, wherever they are mapped, as {@link migrateDeviceRange}
 * does (migrate_device_pfns). Slot i of the migration is `pfns[i]`; a page that is named twice
 * stays at its second slot, since it is locked.
 *
 * Throws TypeError, RangeError unless pfns has one page at least and all are pages of devmem, HmmError
 * ENOMEM.
 */
export function migrateDevicePfns(devmem: HmmDevmem, pfns: ArrayLike<Page>): Migration {
  const op = "migrateDevicePfns";
  const ctx = checkDevmem(op, devmem);
  if (!Array.isArray(pfns) && !ArrayBuffer.isView(pfns)) throw badType(op, "pfns", "an array of pages", pfns);
  const list = Array.from(pfns);
  checkInteger(op, "pfns.length", list.length, 1, 2 ** 28);
  list.forEach((page, i) => checkInteger(op, `pfns[${i}]`, page, devmem.pfnFirst, devmem.pfnEnd - 1));
  return beginDevicePfns(ctx, op, list);
}

function checkDevmem(op: string, devmem: unknown): Context {
  if (!(devmem instanceof HmmDevmem)) throw badType(op, "devmem", "a HmmDevmem", devmem);
  return devmem.check(op);
}
