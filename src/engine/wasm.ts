import binary from "#hmm.wasm";
import type { CoreExports } from "./core.ts";
import { panicError } from "./memory.ts";

let embedded: WebAssembly.Module | undefined;

/** Each character is a byte: gzip finds in such a string what it finds in the module, and little of that in base64. */
function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** The core that is part of the package, compiled on first use and kept: a compiled module has no state. */
export function compileEmbedded(): WebAssembly.Module {
  return (embedded ??= new WebAssembly.Module(bytesOf(binary)));
}

/** As {@link compileEmbedded}, without blocking the thread. */
export async function compileEmbeddedAsync(): Promise<WebAssembly.Module> {
  return (embedded ??= await WebAssembly.compile(bytesOf(binary)));
}

type Numeric = (...args: number[]) => number;

/** The fast path of single CPU accesses stays bare; it does not assert. */
const BARE = new Set(["load32", "store32"]);

/**
 * An export that turns a trap into an error with the core's own message. No export has more than nine parameters;
 * WebAssembly ignores the ones that are too many.
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

/** A fresh instance of the core, its exports typed. Imports nothing. */
export function instantiate(module: WebAssembly.Module): CoreExports {
  const { exports } = new WebAssembly.Instance(module, {});
  return bindExports(exports);
}

/** As {@link instantiate}, without blocking the thread. */
export async function instantiateAsync(module: WebAssembly.Module): Promise<CoreExports> {
  const { exports } = await WebAssembly.instantiate(module, {});
  return bindExports(exports);
}

/**
 * The exports, typed, with traps turned into errors. Made in one go: of an object that gets so many properties one after
 * the other V8 makes a hash table, and looking a function up there costs more than calling it.
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
