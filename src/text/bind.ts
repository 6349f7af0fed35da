/**
 * Makes as-bind work with current AssemblyScript, by replacing its table of converters.
 *
 * as-bind was made for AssemblyScript 0.19. Since then, the runtime ids of ArrayBuffer and String and the
 * layout of the runtime type table have changed, and as-bind's own converters use the old ones. The
 * converters here take every runtime id from the section that tools/as-bind-transform.mjs writes. They also
 * return copies (as-bind returns live views), unsigned numbers for unsigned types, and booleans for bool.
 *
 * Managed pointers are made unsigned before use, so objects above 2 GiB work. Results never alias the
 * module's memory. The module must be built with `--runtime minimal`: then nothing is collected during a
 * call.
 */
import {
  converters,
  instantiateSync,
  type AsBindInstance,
  type Converter,
} from "as-bind/dist/as-bind.esm.js";

type ElementArray = {
  readonly length: number;
  readonly BYTES_PER_ELEMENT: number;
  set(values: ArrayLike<never>): void;
  slice(): unknown;
};
type ElementArrayType = {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, offset: number, length: number): ElementArray;
};

interface Runtime {
  memory: WebAssembly.Memory;
  __new(size: number, id: number): number;
  __pin(pointer: number): number;
  __unpin(pointer: number): void;
}

/** Offsets of the fields of managed objects; an object's byte length lies before it. */
const OBJECT_SIZE = -4;
const VIEW = { buffer: 0, dataStart: 4, byteLength: 8, bytes: 12 };
const ARRAY = { ...VIEW, length: 12, bytes: 16 };

const ARRAY_BUFFER = "~lib/arraybuffer/ArrayBuffer";
const STRING = "~lib/string/String";
const ARRAY_TYPE = /^~lib\/array\/Array<(.+)>$/;
/** Characters for one call of String.fromCharCode. */
const CHUNK = 4096;

const TYPED_ARRAYS: Record<string, ElementArrayType> = {
  Int8Array: Int8Array,
  Uint8Array: Uint8Array,
  Uint8ClampedArray: Uint8ClampedArray,
  Int16Array: Int16Array,
  Uint16Array: Uint16Array,
  Int32Array: Int32Array,
  Uint32Array: Uint32Array,
  Int64Array: BigInt64Array,
  Uint64Array: BigUint64Array,
  Float32Array: Float32Array,
  Float64Array: Float64Array,
};

/** The typed array that holds the elements of an Array<T>. Arrays of managed objects hold pointers. */
const ELEMENTS: Record<string, ElementArrayType> = {
  bool: TYPED_ARRAYS.Uint8Array,
  i8: TYPED_ARRAYS.Int8Array,
  u8: TYPED_ARRAYS.Uint8Array,
  i16: TYPED_ARRAYS.Int16Array,
  u16: TYPED_ARRAYS.Uint16Array,
  i32: TYPED_ARRAYS.Int32Array,
  u32: TYPED_ARRAYS.Uint32Array,
  isize: TYPED_ARRAYS.Int32Array,
  usize: TYPED_ARRAYS.Uint32Array,
  i64: TYPED_ARRAYS.Int64Array,
  u64: TYPED_ARRAYS.Uint64Array,
  f32: TYPED_ARRAYS.Float32Array,
  f64: TYPED_ARRAYS.Float64Array,
};

const runtimeOf = (asbind: AsBindInstance): Runtime => asbind.exports as unknown as Runtime;
const bytesAt = (rt: Runtime, pointer: number, length: number): Uint8Array =>
  new Uint8Array(rt.memory.buffer, pointer, length);
const u32At = (rt: Runtime, pointer: number, offset: number): number =>
  new DataView(rt.memory.buffer).getUint32(pointer + offset, true);
const setU32At = (rt: Runtime, pointer: number, offset: number, value: number): void =>
  new DataView(rt.memory.buffer).setUint32(pointer + offset, value, true);

/** Allocates an object and pins it, so that further allocations cannot collect it. */
const allocate = (rt: Runtime, size: number, id: number): number => rt.__pin(rt.__new(size, id) >>> 0) >>> 0;

/** A pointer of the module as an unsigned offset. 0 stands for null. */
const pointerOf = (value: unknown): number => (value as number) >>> 0;

function wrong(typeName: string, value: unknown): TypeError {
  const got = value === null ? "null" : Array.isArray(value) ? "an array" : typeof value;
  return new TypeError(`expected ${typeName.replace(/~lib\/\w+\//g, "")}, got ${got}`);
}

/** Numbers go in as they are, since WebAssembly converts them, and come out through `lift`. */
function scalar(lift: (value: never) => unknown): Converter {
  return { ascToJs: (_asbind, value) => lift(value as never), jsToAsc: (_asbind, value) => value };
}

const string: Converter = {
  ascToJs(asbind, value) {
    const pointer = pointerOf(value);
    if (pointer === 0) return null;
    const rt = runtimeOf(asbind);
    const units = new Uint16Array(rt.memory.buffer, pointer, u32At(rt, pointer, OBJECT_SIZE) >>> 1);
    let text = "";
    for (let i = 0; i < units.length; i += CHUNK)
      text += String.fromCharCode(...units.subarray(i, i + CHUNK));
    return text;
  },
  jsToAsc(asbind, value, typeName) {
    if (value == null) return 0;
    if (typeof value !== "string") throw wrong(typeName, value);
    const rt = runtimeOf(asbind);
    const pointer = rt.__new(value.length * 2, asbind.getTypeId(STRING)) >>> 0;
    const units = new Uint16Array(rt.memory.buffer, pointer, value.length);
    for (let i = 0; i < value.length; i++) units[i] = value.charCodeAt(i);
    return pointer;
  },
};

const arrayBuffer: Converter = {
  ascToJs(asbind, value) {
    const pointer = pointerOf(value);
    if (pointer === 0) return null;
    const rt = runtimeOf(asbind);
    return rt.memory.buffer.slice(pointer, pointer + u32At(rt, pointer, OBJECT_SIZE));
  },
  jsToAsc(asbind, value, typeName) {
    if (value == null) return 0;
    if (!(value instanceof ArrayBuffer)) throw wrong(typeName, value);
    const rt = runtimeOf(asbind);
    const pointer = rt.__new(value.byteLength, asbind.getTypeId(ARRAY_BUFFER)) >>> 0;
    bytesAt(rt, pointer, value.byteLength).set(new Uint8Array(value));
    return pointer;
  },
};

/** Makes a view object of `byteLength` bytes of elements. Returns its address and that of its elements. */
function newView(
  asbind: AsBindInstance,
  typeName: string,
  bytes: number,
  byteLength: number,
): [number, number] {
  const rt = runtimeOf(asbind);
  const buffer = allocate(rt, byteLength, asbind.getTypeId(ARRAY_BUFFER));
  const view = rt.__new(bytes, asbind.getTypeId(typeName)) >>> 0;
  setU32At(rt, view, VIEW.buffer, buffer);
  setU32At(rt, view, VIEW.dataStart, buffer);
  setU32At(rt, view, VIEW.byteLength, byteLength);
  rt.__unpin(buffer); // the view holds it now
  return [view, buffer];
}

function typedArray(type: ElementArrayType): Converter {
  return {
    ascToJs(asbind, value) {
      const view = pointerOf(value);
      if (view === 0) return null;
      const rt = runtimeOf(asbind);
      const length = u32At(rt, view, VIEW.byteLength) / type.BYTES_PER_ELEMENT;
      return new type(rt.memory.buffer, u32At(rt, view, VIEW.dataStart), length).slice();
    },
    jsToAsc(asbind, value, typeName) {
      if (value == null) return 0;
      if (!(value instanceof (type as unknown as new () => object))) throw wrong(typeName, value);
      const source = value as ElementArray & ArrayLike<never>;
      const byteLength = source.length * type.BYTES_PER_ELEMENT;
      const [view, data] = newView(asbind, typeName, VIEW.bytes, byteLength);
      new type(runtimeOf(asbind).memory.buffer, data, source.length).set(source);
      return view;
    },
  };
}

/** Array<T>: each element goes through the converter of T. */
const array: Converter = {
  ascToJs(asbind, value, typeName) {
    const pointer = pointerOf(value);
    if (pointer === 0) return null;
    const rt = runtimeOf(asbind);
    const [name, element, type] = elementOf(typeName);
    const elements = new type(
      rt.memory.buffer,
      u32At(rt, pointer, ARRAY.dataStart),
      u32At(rt, pointer, ARRAY.length),
    );
    return Array.from(elements as unknown as ArrayLike<unknown>, (item) =>
      element.ascToJs(asbind, item, name),
    );
  },
  jsToAsc(asbind, value, typeName) {
    if (value == null) return 0;
    if (!Array.isArray(value)) throw wrong(typeName, value);
    const rt = runtimeOf(asbind);
    const [name, element, type] = elementOf(typeName);
    const managed = !(name in ELEMENTS);
    const items = value.map((item) => {
      const lowered = element.jsToAsc(asbind, item, name);
      return managed ? rt.__pin(lowered as number) >>> 0 : lowered;
    });
    const [pointer, data] = newView(asbind, typeName, ARRAY.bytes, items.length * type.BYTES_PER_ELEMENT);
    setU32At(rt, pointer, ARRAY.length, items.length);
    new type(rt.memory.buffer, data, items.length).set(items as never[]);
    if (managed) for (const item of items) rt.__unpin(item as number);
    return pointer;
  },
};

function elementOf(typeName: string): [name: string, converter: Converter, type: ElementArrayType] {
  const name = ARRAY_TYPE.exec(typeName)![1].replace(/ \| null$/, "");
  return [name, converterOf(name), ELEMENTS[name] ?? TYPED_ARRAYS.Uint32Array];
}

function converterOf(typeName: string): Converter {
  for (const [key, converter] of converters) {
    if (typeof key === "string" ? key === typeName : key.test(typeName)) return converter;
  }
  return unknown;
}

/**
 * Refuses classes, StaticArray, Map and v128, which have no counterpart; as-bind would pass their address.
 */
const unknown: Converter = {
  ascToJs: (_asbind, _value, typeName) => refuse(typeName),
  jsToAsc: (_asbind, _value, typeName) => refuse(typeName),
};

function refuse(typeName: string): never {
  throw new TypeError(`no conversion between JavaScript and ${typeName}`);
}

function install(): void {
  const signed = scalar((value: number) => value);
  const unsigned = scalar((value: number) => value >>> 0);
  converters.clear();
  converters.set(
    "void",
    scalar(() => undefined),
  );
  converters.set(
    "bool",
    scalar((value: number) => value !== 0),
  );
  for (const name of ["i8", "i16", "i32", "isize", "i64", "f32", "f64"]) converters.set(name, signed);
  for (const name of ["u8", "u16", "u32", "usize"]) converters.set(name, unsigned);
  converters.set(
    "u64",
    scalar((value: bigint) => BigInt.asUintN(64, value)),
  );
  converters.set(STRING, string);
  converters.set(ARRAY_BUFFER, arrayBuffer);
  for (const [name, type] of Object.entries(TYPED_ARRAYS))
    converters.set(`~lib/typedarray/${name}`, typedArray(type));
  converters.set(ARRAY_TYPE, array);
  converters.set(/^/, unknown);
}

/**
 * Instantiates a module that was built with the transform, and returns its exports with arguments and results
 * converted. It is synchronous because as-bind's other form reads the global `Response`, for which Node loads
 * its HTTP client in 30 ms.
 */
export function bind<Exports>(source: BufferSource, imports: WebAssembly.Imports = {}): Exports {
  install();
  return instantiateSync(source, imports).exports as Exports;
}
