/**
 * Types of the host, written so that they hold in every consumer's configuration: TypeScript before and since
 * 5.7 (where typed arrays became generic), with and without the DOM's types (which declare WebAssembly), with
 * and without ESNext.Disposable.
 */

/** A Uint8Array over an ArrayBuffer. */
export type Bytes = ReturnType<typeof Uint8Array.of>;

/** A Uint32Array over an ArrayBuffer. */
export type Words = ReturnType<typeof Uint32Array.of>;

/** A compiled WebAssembly module: WebAssembly.Module, or any object where that type is not declared. */
export type WasmModule = typeof globalThis extends { WebAssembly: { Module: { prototype: infer M } } }
  ? M
  : object;

/** A Response of fetch(), as far as it is used. */
export interface WasmResponse {
  readonly ok: boolean;
  readonly status: number;
  readonly url: string;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** Where the core may come from: a compiled module, bytes, a URL, or a Response of fetch() or its promise. */
export type WasmSource =
  | WasmModule
  | ArrayBuffer
  | ArrayBufferView
  | string
  | { readonly href: string }
  | WasmResponse
  | PromiseLike<WasmResponse>;

declare const _own: unique symbol;

/** Symbol.dispose, or a symbol of the package's own where that is not declared. */
export type DisposeSymbol = SymbolConstructor extends { readonly dispose: infer S extends symbol }
  ? S
  : typeof _own;
