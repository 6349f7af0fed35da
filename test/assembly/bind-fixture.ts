// One echo function for each type that src/text/bind.ts converts; test/text/bind.test.ts calls them all.
export function echoBool(value: bool): bool {
  return value;
}
export function notBool(value: bool): bool {
  return !value;
}
export function echoI8(value: i8): i8 {
  return value;
}
export function echoU8(value: u8): u8 {
  return value;
}
export function echoI16(value: i16): i16 {
  return value;
}
export function echoU16(value: u16): u16 {
  return value;
}
export function echoI32(value: i32): i32 {
  return value;
}
export function echoU32(value: u32): u32 {
  return value;
}
export function echoUsize(value: usize): usize {
  return value;
}
export function echoIsize(value: isize): isize {
  return value;
}
export function echoI64(value: i64): i64 {
  return value;
}
export function echoU64(value: u64): u64 {
  return value;
}
export function echoF32(value: f32): f32 {
  return value;
}
export function echoF64(value: f64): f64 {
  return value;
}

export function echoString(value: string): string {
  return value;
}
export function echoNullable(value: string | null): string | null {
  return value;
}
export function greet(name: string): string {
  return "hello, " + name;
}
export function joinAll(names: Array<string>): string {
  return names.join("|");
}
export function splitAll(text: string): Array<string> {
  return text.split("|");
}

export function echoBuffer(value: ArrayBuffer): ArrayBuffer {
  return value;
}
export function echoI8s(value: Int8Array): Int8Array {
  return value;
}
export function echoU8s(value: Uint8Array): Uint8Array {
  return value;
}
export function echoClamped(value: Uint8ClampedArray): Uint8ClampedArray {
  return value;
}
export function echoI16s(value: Int16Array): Int16Array {
  return value;
}
export function echoU16s(value: Uint16Array): Uint16Array {
  return value;
}
export function echoI32s(value: Int32Array): Int32Array {
  return value;
}
export function echoU32s(value: Uint32Array): Uint32Array {
  return value;
}
export function echoI64s(value: Int64Array): Int64Array {
  return value;
}
export function echoU64s(value: Uint64Array): Uint64Array {
  return value;
}
export function echoF32s(value: Float32Array): Float32Array {
  return value;
}
export function echoF64s(value: Float64Array): Float64Array {
  return value;
}
export function middle(value: Uint32Array): Uint32Array {
  return value.subarray(1, value.length - 1);
}

export function echoNumbers(value: Array<u32>): Array<u32> {
  return value;
}
export function echoBytes(value: Array<i8>): Array<i8> {
  return value;
}
export function echoFlags(value: Array<bool>): Array<bool> {
  return value;
}
export function echoLongs(value: Array<u64>): Array<u64> {
  return value;
}
export function echoDoubles(value: Array<f64>): Array<f64> {
  return value;
}
export function echoStrings(value: Array<string>): Array<string> {
  return value;
}
export function echoNested(value: Array<Array<i32>>): Array<Array<i32>> {
  return value;
}
export function echoTyped(value: Array<Uint8Array>): Array<Uint8Array> {
  return value;
}
export function sum(value: Array<f64>): f64 {
  let s = 0.0;
  for (let i = 0; i < value.length; i++) s += value[i];
  return s;
}

class Point {
  x: i32 = 0;
}
export function makePoint(): Point {
  return new Point();
}
export function fail(message: string): void {
  throw new Error(message);
}


@external("host", "describe")
declare function describeByHost(name: string, values: Uint32Array, flag: bool): string;
export function askHost(name: string): string {
  return describeByHost(name, values(), true as bool);
}
function values(): Uint32Array {
  const v = new Uint32Array(2);
  v[0] = 1;
  v[1] = 0xffffffff;
  return v;
}
