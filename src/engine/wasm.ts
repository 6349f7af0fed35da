import binary from "#hmm.wasm";
import type { CoreExports } from "./core.ts";
import { badType } from "./errors.ts";
import type { WasmModule } from "./host.ts";
import { panicError } from "./memory.ts";
import { wasmBytes } from "./wasm-bytes.ts";

let embedded: WasmModule | undefined;

/** Returns `module`. Throws TypeError unless it is a compiled module. */
export function checkModule(module: unknown, op = "Hmm.create"): WasmModule {
  if (!(module instanceof WebAssembly.Module)) throw badType(op, "module", "a WebAssembly.Module", module);
  return module;
}

/** Returns the package's core, compiled on first use and kept: a compiled module has no state. */
export function compileEmbedded(): WasmModule {
  return (embedded ??= new WebAssembly.Module(wasmBytes(binary)));
}

/** Returns the package's core as {@link compileEmbedded} does, without blocking the thread. */
export async function compileEmbeddedAsync(): Promise<WasmModule> {
  return (embedded ??= await WebAssembly.compile(wasmBytes(binary)));
}

type Numeric = (...args: number[]) => number;

/** The fast paths of single CPU accesses are not wrapped: they never trap. */
const BARE = new Set(["load32", "store32"]);

/**
 * Wraps an export so that a trap becomes an error with the core's own message. No export has more than nine
 * parameters, and WebAssembly ignores excess arguments.
 */
function trapped(call: Numeric, memory: WebAssembly.Memory, onTrap: (error: unknown) => void): Numeric {
  return (a, b, c, d, e, f, g, h, i) => {
    try {
      return call(a, b, c, d, e, f, g, h, i);
    } catch (error) {
      const panic = panicError(memory, error);
      onTrap(panic);
      throw panic;
    }
  };
}

/** Makes an instance of the core, which imports nothing. Returns its exports, typed. */
export function instantiate(module: WasmModule): CoreExports {
  const { exports } = new WebAssembly.Instance(module, {});
  return bindExports(exports);
}

/** Makes an instance as {@link instantiate} does, without blocking the thread. */
export async function instantiateAsync(module: WasmModule): Promise<CoreExports> {
  const { exports } = await WebAssembly.instantiate(module, {});
  return bindExports(exports);
}

/**
 * Returns the exports, typed, with traps turned into errors. The object is made in one step: if so many
 * properties were added one after the other, V8 would make it a hash table, where looking a function up costs
 * more than calling it.
 */
export function bindExports(exports: WebAssembly.Exports): CoreExports {
  const memory = exports.memory as WebAssembly.Memory;
  // After a trap the core's state is whatever the operation left: every later call says so, and does nothing.
  const onTrap = (panic: unknown): void => {
    const message = panic instanceof Error ? panic.message : String(panic);
    const broken = (): never => {
      throw new Error(`this engine is broken since ${message}`, { cause: panic });
    };
    for (const name of Object.keys(core)) if (typeof core[name] === "function") core[name] = broken;
    core.demandWhole = broken;
  };
  const bound = Object.entries(exports).map(([name, value]) => {
    const call = typeof value === "function" && !BARE.has(name);
    return [name, call ? trapped(value as Numeric, memory, onTrap) : value] as const;
  });
  const core: Record<string, unknown> = Object.fromEntries([...bound, ["demandWhole", () => undefined]]);
  return core as unknown as CoreExports;
}
