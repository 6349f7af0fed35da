/**
 * `Symbol.dispose` and `Symbol.asyncDispose`, made where the host lacks them, so that `using` (lowered by a
 * compiler) and the classes here agree on one symbol. Files take the symbols from here: a bare import for its side
 * effect would be dropped by bundlers.
 */
function symbolOf(name: "dispose" | "asyncDispose"): symbol {
  const host = Symbol as unknown as Record<string, symbol | undefined>;
  const known = host[name];
  if (known !== undefined) return known;
  const made = Symbol.for(`Symbol.${name}`);
  Object.defineProperty(Symbol, name, { value: made });
  return made;
}

/** The symbol of the method that `using` calls. */
export const dispose: typeof Symbol.dispose = symbolOf("dispose") as typeof Symbol.dispose;

/** The symbol of the method that `await using` calls. */
export const asyncDispose: typeof Symbol.asyncDispose = symbolOf(
  "asyncDispose",
) as typeof Symbol.asyncDispose;
