// Objects of tables ("unmanaged" classes) are addresses in linear memory; address 0 is "none".

/** Tells whether `object` is one: a lookup or an allocation that finds nothing returns none. */
@inline
export function exists<T>(object: T): bool {
  return changetype<usize>(object) != 0;
}

/** The absent object of type T. */
@inline
export function none<T>(): T {
  return changetype<T>(0);
}
