// Pools: tables of objects of one class. An object has an id, from 1 on, and is zeroed when it is handed out.
// Free objects form a list through their first word.

import { POOL_BASE, POOL_CAPACITY, POOL_FREE, POOL_HIGH, POOL_OBJECT_SIZE, POOL_USED } from "../../abi/pool";
import { exhausted, mayAllocate, pool, zeroObject } from "./layout";

/**
 * Allocates an object, zeroed. Returns its address; 0 when the pool is full, which the header then reports.
 */
export function poolAlloc(table: u32): usize {
  if (!mayAllocate()) return 0;
  const p = pool(table);
  const size = load<u32>(p, POOL_OBJECT_SIZE);
  let object: usize = load<u32>(p, POOL_FREE);
  if (object) {
    store<u32>(p, load<u32>(object), POOL_FREE);
  } else {
    const high = load<u32>(p, POOL_HIGH);
    if (high == load<u32>(p, POOL_CAPACITY)) {
      exhausted(table);
      return 0;
    }
    store<u32>(p, high + 1, POOL_HIGH);
    object = load<u32>(p, POOL_BASE) + (high + 1) * size;
  }
  zeroObject(object, size);
  store<u32>(p, load<u32>(p, POOL_USED) + 1, POOL_USED);
  return object;
}

/**
 * Frees an object. All words but the first keep their values, so that a stale handle can still compare
 * generations.
 */
export function poolFree(table: u32, object: usize): void {
  const p = pool(table);
  store<u32>(object, load<u32>(p, POOL_FREE));
  store<u32>(p, <u32>object, POOL_FREE);
  store<u32>(p, load<u32>(p, POOL_USED) - 1, POOL_USED);
}

/** Returns the address of the object with this id, free or not. */
@inline
export function poolObject(table: u32, id: u32): usize {
  const p = pool(table);
  return load<u32>(p, POOL_BASE) + id * load<u32>(p, POOL_OBJECT_SIZE);
}

/** Returns the id of an object. */
@inline
export function poolId(table: u32, object: usize): u32 {
  const p = pool(table);
  return (<u32>object - load<u32>(p, POOL_BASE)) / load<u32>(p, POOL_OBJECT_SIZE);
}

/** Returns the highest id that was ever handed out: a loop over all objects ends there. */
@inline
export function poolHigh(table: u32): u32 {
  return load<u32>(pool(table), POOL_HIGH);
}

/** Returns the number of objects in use. */
@inline
export function poolUsed(table: u32): u32 {
  return load<u32>(pool(table), POOL_USED);
}

/** Returns the number of objects that can still be allocated. */
@inline
export function poolLeft(table: u32): u32 {
  const p = pool(table);
  return load<u32>(p, POOL_CAPACITY) - load<u32>(p, POOL_USED);
}
