// Tables of equal objects: ids from 1, a free list through the objects' first word, zeroed when handed out.

import { POOL_BASE, POOL_CAPACITY, POOL_FREE, POOL_HIGH, POOL_OBJECT_SIZE, POOL_USED } from "../../abi/pool";
import { exhausted, mayAllocate, pool, zeroObject } from "./layout";

/** A zeroed object, or 0 when the table is full (HDR_EXHAUSTED names it). */
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

/** Gives an object back. Its words but the first keep what they had: a stale handle can still read its generation. */
export function poolFree(table: u32, object: usize): void {
  const p = pool(table);
  store<u32>(object, load<u32>(p, POOL_FREE));
  store<u32>(p, <u32>object, POOL_FREE);
  store<u32>(p, load<u32>(p, POOL_USED) - 1, POOL_USED);
}


@inline
export function poolObject(table: u32, id: u32): usize {
  const p = pool(table);
  return load<u32>(p, POOL_BASE) + id * load<u32>(p, POOL_OBJECT_SIZE);
}


@inline
export function poolId(table: u32, object: usize): u32 {
  const p = pool(table);
  return (<u32>object - load<u32>(p, POOL_BASE)) / load<u32>(p, POOL_OBJECT_SIZE);
}

/** Ids ever handed out: ids 1…poolHigh are worth looking at. */
@inline
export function poolHigh(table: u32): u32 {
  return load<u32>(pool(table), POOL_HIGH);
}


@inline
export function poolUsed(table: u32): u32 {
  return load<u32>(pool(table), POOL_USED);
}

/** Objects that can still be allocated. */
@inline
export function poolLeft(table: u32): u32 {
  const p = pool(table);
  return load<u32>(p, POOL_CAPACITY) - load<u32>(p, POOL_USED);
}
