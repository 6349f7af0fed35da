// Memory cgroups: groups of address spaces, each with a limit on the pages charged to it. A page keeps its
// group until it is freed.

import { EBUSY, EINVAL, ENOMEM } from "../../uapi/errno";
import { MEMCG_FLAGS, MEMCG_LIMIT, MEMCG_MEMBERS, MEMCG_USAGE } from "../../abi/object";
import { RESOURCE_MEMCG, RESOURCE_MEMCG_LIMIT } from "../../abi/pool";
import { exhausted } from "../base/layout";
import { poolAlloc, poolFree, poolHigh, poolId, poolObject } from "../base/pool";

/** Returns the address of the group with this id; 0 if there is none. */
export function memcgOf(id: u32): usize {
  if (!id || id > poolHigh(RESOURCE_MEMCG)) return 0;
  const group = poolObject(RESOURCE_MEMCG, id);
  return load<u32>(group, MEMCG_FLAGS) ? group : 0;
}

/** Creates a group with a limit in pages. Returns its id, or -ENOMEM. */
export function memcgCreate(limitPages: u32): i32 {
  const group = poolAlloc(RESOURCE_MEMCG);
  if (!group) return -ENOMEM;
  store<u32>(group, limitPages, MEMCG_LIMIT);
  store<u32>(group, 1, MEMCG_FLAGS);
  return poolId(RESOURCE_MEMCG, group);
}

/**
 * Sets the limit in pages; pages that are charged beyond it stay. Returns 0, or -EINVAL for an id that is
 * none.
 */
export function memcgSetLimit(id: u32, limitPages: u32): i32 {
  const group = memcgOf(id);
  if (!group) return -EINVAL;
  store<u32>(group, limitPages, MEMCG_LIMIT);
  return 0;
}

/**
 * Destroys a group. Returns 0; -EBUSY while pages are charged to it or address spaces belong to it; -EINVAL.
 */
export function memcgDestroy(id: u32): i32 {
  const group = memcgOf(id);
  if (!group) return -EINVAL;
  if (load<u32>(group, MEMCG_USAGE) || load<u32>(group, MEMCG_MEMBERS)) return -EBUSY;
  store<u32>(group, 0, MEMCG_FLAGS);
  poolFree(RESOURCE_MEMCG, group);
  return 0;
}

/** Tells whether the limit of a group (0: no group) allows `pages` more pages. */
export function memcgHasRoom(id: u32, pages: u32): bool {
  if (!id) return true;
  const group = poolObject(RESOURCE_MEMCG, id);
  return <u64>load<u32>(group, MEMCG_USAGE) + pages <= <u64>load<u32>(group, MEMCG_LIMIT);
}

/**
 * Charges pages to a group (0: no group). Returns false, and charges none, where the limit does not allow it:
 * without reclaim nothing makes room.
 */
@inline
export function memcgCharge(id: u32, pages: u32 = 1): bool {
  if (!id) return true;
  const group = poolObject(RESOURCE_MEMCG, id);
  if (!memcgHasRoom(id, pages)) {
    exhausted(RESOURCE_MEMCG_LIMIT);
    return false;
  }
  store<u32>(group, load<u32>(group, MEMCG_USAGE) + pages, MEMCG_USAGE);
  return true;
}

/** Takes pages off a group's charge. */
export function memcgUncharge(id: u32, pages: u32 = 1): void {
  if (!id) return;
  const group = poolObject(RESOURCE_MEMCG, id);
  const usage = load<u32>(group, MEMCG_USAGE);
  assert(usage >= pages, "memcgUncharge: usage below 0");
  store<u32>(group, usage - pages, MEMCG_USAGE);
}

/** Counts an address space in. */
export function memcgJoin(id: u32): void {
  if (!id) return;
  const group = poolObject(RESOURCE_MEMCG, id);
  store<u32>(group, load<u32>(group, MEMCG_MEMBERS) + 1, MEMCG_MEMBERS);
}

/** Counts an address space out. */
export function memcgLeave(id: u32): void {
  if (!id) return;
  const group = poolObject(RESOURCE_MEMCG, id);
  store<u32>(group, load<u32>(group, MEMCG_MEMBERS) - 1, MEMCG_MEMBERS);
}
