/** Models that are broken on purpose. */

/** Runs its argument while the model is broken. */
export type Broken = (body: () => void) => void;

/** Returns a model with one method replaced by a method made from the original. */
export function broken<T extends object, K extends keyof T>(
  prototype: T,
  key: K,
  make: (original: T[K]) => T[K],
): Broken {
  return (body) => {
    const original = prototype[key];
    prototype[key] = make(original);
    try {
      body();
    } finally {
      prototype[key] = original;
    }
  };
}
