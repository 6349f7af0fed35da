import binary from "#hmm.wasm";
import type { CoreExports } from "./core.ts";
import { badType, show } from "./errors.ts";
import type { Bytes, WasmModule, WasmResponse, WasmSource } from "./host.ts";
import { panicError } from "./memory.ts";
import { wasmBytes } from "./wasm-bytes.ts";

let embedded: WasmModule | undefined;
/** Modules that are known to be the core. */
const cores = new WeakSet<WasmModule>();

/** Returns `module`. Throws TypeError unless it is a compiled module, and this package's core. */
export function checkModule(module: unknown, op = "Hmm.create", argument = "module"): WasmModule {
  if (!(module instanceof WebAssembly.Module)) throw badType(op, argument, "a WebAssembly.Module", module);
  if (cores.has(module)) return module;
  const ours = WebAssembly.Module.exports(module).some(({ name }) => name === "layoutBytes");
  if (!ours || WebAssembly.Module.imports(module).length > 0)
    throw new TypeError(
      `${op}: ${argument} must be heteromem's core (heteromem/hmm.wasm), got another module`,
    );
  cores.add(module);
  return module;
}

/** Returns the bytes that `source` is; undefined if it is none. */
function bytesOf(source: unknown): Bytes | undefined {
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (!ArrayBuffer.isView(source)) return undefined;
  return new Uint8Array(source.buffer as ArrayBuffer, source.byteOffset, source.byteLength);
}

/** Returns the module that `source` is or whose bytes it is. Throws TypeError for anything else. */
export function compile(op: string, argument: string, source: WasmSource): WasmModule {
  const bytes = bytesOf(source);
  if (bytes === undefined) return checkModule(source, op, argument);
  let module: WasmModule;
  try {
    module = new WebAssembly.Module(bytes);
  } catch (cause) {
    throw notCompiled(op, argument, cause);
  }
  return checkModule(module, op, argument);
}

/** Returns the module of `source` as {@link compile} does, and loads it if `source` says where it is. */
export async function compileAsync(op: string, argument: string, source: WasmSource): Promise<WasmModule> {
  if (source instanceof WebAssembly.Module) return checkModule(source, op, argument);
  const bytes = bytesOf(source) ?? (await load(op, argument, source));
  const compiled = WebAssembly.compile(bytes);
  const module = await compiled.catch((cause: unknown) => Promise.reject(notCompiled(op, argument, cause)));
  return checkModule(module, op, argument);
}

function notCompiled(op: string, argument: string, cause: unknown): TypeError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new TypeError(`${op}: ${argument} must be a WebAssembly module: ${why}`, { cause });
}

/** Fetches the bytes behind a URL or a Response. */
async function load(op: string, argument: string, source: unknown): Promise<ArrayBuffer> {
  const expected = "a WebAssembly.Module, its bytes, a URL or a Response";
  const href = typeof source === "string" ? source : (source as { href?: unknown } | null)?.href;
  let response: unknown;
  try {
    response = await (typeof href === "string" ? fetch(href) : source);
  } catch (cause) {
    const what = typeof href === "string" ? ` from ${show(href)}` : "";
    const why = cause instanceof Error ? cause.message : String(cause);
    const hint = href?.toString().startsWith("file:") === true ? "; pass the file's bytes instead" : "";
    throw new TypeError(`${op}: ${argument} cannot be loaded${what}: ${why}${hint}`, { cause });
  }
  if (typeof (response as WasmResponse | null)?.arrayBuffer !== "function")
    throw badType(op, argument, expected, response);
  const { ok, status, url } = response as WasmResponse;
  if (!ok)
    throw new TypeError(`${op}: ${argument} cannot be loaded from ${show(url)}: HTTP status ${status}`);
  return (response as WasmResponse).arrayBuffer();
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
