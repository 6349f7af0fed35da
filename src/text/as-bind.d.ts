/** as-bind 0.8.2's runtime. Its own declaration describes the compiler transform instead. */
declare module "as-bind/dist/as-bind.esm.js" {
  /** What a converter gets to see of the module that is bound. */
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

  /** Looked up in order: a string is a type's name, a regular expression is tested against it. */
  export const converters: Map<string | RegExp, Converter>;
  export function instantiateSync(source: BufferSource, imports: WebAssembly.Imports): AsBindInstance;
}
