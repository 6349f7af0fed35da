// Objects of pools (@unmanaged classes) are addresses in linear memory; address 0 means "none".

/** Tells whether `object` exists. A lookup or an allocation that finds nothing returns none(). */
@inline
export function exists<T>(object: T): bool {
  return changetype<usize>(object) != 0;
}

/** Returns the absent object of type T. */
@inline
export function none<T>(): T {
  return changetype<T>(0);
}
