import type { DisposeSymbol } from "./host.ts";

/**
 * Returns `Symbol.dispose`, and makes it where the host lacks it, so that `using` (lowered by a compiler) and
 * the classes here agree on one symbol. Files import the symbol from here: bundlers drop a bare import for
 * its side effect.
 */
function disposeSymbol(): symbol {
  const host = Symbol as { dispose?: symbol };
  if (host.dispose !== undefined) return host.dispose;
  const made = Symbol.for("Symbol.dispose");
  Object.defineProperty(Symbol, "dispose", { value: made });
  return made;
}

/** The symbol of the method that `using` calls. */
export const dispose: DisposeSymbol = disposeSymbol() as DisposeSymbol;
