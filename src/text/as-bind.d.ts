/** The runtime of as-bind 0.8.2. The package's own declaration describes its compiler transform instead. */
declare module "as-bind/dist/as-bind.esm.js" {
  /** The bound module as converters see it. */
  export interface AsBindInstance {
    exports: Record<string, unknown>;
    getTypeId(typeName: string): number;
  }

  export interface Converter {
    /** WebAssembly to JavaScript. */
    ascToJs(asbind: AsBindInstance, value: unknown, typeName: string): unknown;
    /** JavaScript to WebAssembly. A result that is not the argument itself is pinned for the call. */
    jsToAsc(asbind: AsBindInstance, value: unknown, typeName: string): unknown;
  }

  /** Searched in order. A string is a type's name; a regular expression is tested against the name. */
  export const converters: Map<string | RegExp, Converter>;
  export function instantiateSync(source: BufferSource, imports: WebAssembly.Imports): AsBindInstance;
}
