/**
 * The contract of src/text/bind.ts: every type in both directions, with the installed AssemblyScript.
 * test/assembly/bind-fixture.ts has an echo function for each.
 */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { bind } from "../../src/text/bind.ts";

type Fixture = Record<string, (...args: unknown[]) => unknown> & {
  memory: WebAssembly.Memory;
  __new(size: number, id: number): number;
  __pin(pointer: number): number;
  __collect(): void;
};

const binary = readFileSync(new URL("../../build/test/bind-fixture.wasm", import.meta.url));
const HOST = {
  host: {
    describe: (name: string, values: Uint32Array, flag: boolean) => `${name} ${values.join()} ${flag}`,
  },
};
const load = (): Fixture => bind<Fixture>(binary, HOST);

const LONG_TEXT = "heteromem ".repeat(5000);
const values: [name: string, values: unknown[]][] = [
  ["Bool", [true, false]],
  ["I8", [-128, 127]],
  ["U8", [0, 255]],
  ["I16", [-32768, 32767]],
  ["U16", [65535]],
  ["I32", [-(2 ** 31), 2 ** 31 - 1]],
  ["U32", [0, 2 ** 31, 2 ** 32 - 1]],
  ["Isize", [-1]],
  ["Usize", [0xffff_fff0]],
  ["I64", [-(2n ** 63n), 2n ** 63n - 1n]],
  ["U64", [2n ** 63n, 2n ** 64n - 1n]],
  ["F32", [1.5, -Infinity]],
  ["F64", [Math.PI, 2 ** 47, -0]],
  ["String", ["", "a", "Grüße, 世界 🌍", "\ud800 alone", LONG_TEXT]],
  ["Nullable", [null, "text"]],
  ["Buffer", [new ArrayBuffer(0), Uint8Array.of(1, 2, 3).buffer]],
  ["I8s", [Int8Array.of(-1, 2)]],
  ["U8s", [Uint8Array.of(), Uint8Array.of(255, 0), new Uint8Array(100_000).fill(7)]],
  ["Clamped", [Uint8ClampedArray.of(255, 1)]],
  ["I16s", [Int16Array.of(-2, 3)]],
  ["U16s", [Uint16Array.of(65535)]],
  ["I32s", [Int32Array.of(-3, 4)]],
  ["U32s", [Uint32Array.of(0xffff_ffff, 1)]],
  ["I64s", [BigInt64Array.of(-1n, 2n)]],
  ["U64s", [BigUint64Array.of(2n ** 64n - 1n)]],
  ["F32s", [Float32Array.of(0.5, -1)]],
  ["F64s", [Float64Array.of(Math.E)]],
  ["Numbers", [[], [1, 0xffff_ffff]]],
  ["Bytes", [[-128, 127]]],
  ["Flags", [[true, false, true]]],
  ["Longs", [[2n ** 63n, 1n]]],
  ["Doubles", [[0.1, -0.2]]],
  ["Strings", [[], ["a", "", "ß"], Array.from({ length: 1000 }, (_, i) => `item ${i}`)]],
  ["Nested", [[[1, 2], [], [-3]]]],
  ["Typed", [[Uint8Array.of(1), Uint8Array.of()]]],
];

const echo = suite("bind: both directions");
for (const [name, inputs] of values) {
  echo(name, () => {
    const fixture = load();
    for (const input of inputs) {
      const result = fixture[`echo${name}`](input);
      assert.equal(result, input);
      if (typeof input !== "object") assert.is(result, input);
      if (ArrayBuffer.isView(input)) assert.is((result as object).constructor, input.constructor);
    }
  });
}
echo("every echo function has been called", () => {
  const names = Object.keys(load()).filter((name) => name.startsWith("echo"));
  assert.equal(names.sort(), values.map(([name]) => `echo${name}`).sort());
});
echo.run();

const rules = suite("bind: rules");
rules("converts what functions compute", () => {
  const fixture = load();
  assert.is(fixture.notBool(true), false);
  assert.is(fixture.greet("world"), "hello, world");
  assert.is(fixture.joinAll(["a", "b"]), "a|b");
  assert.equal(fixture.splitAll("a|b|c"), ["a", "b", "c"]);
  assert.is(fixture.sum([0.5, 1.25]), 1.75);
  assert.equal(fixture.middle(Uint32Array.of(1, 2, 3, 4)), Uint32Array.of(2, 3));
});
rules("converts for functions of the host", () => {
  assert.is(load().askHost("it"), "it 1,4294967295 true");
});
rules("gives copies that later calls leave alone", () => {
  const fixture = load();
  const held = fixture.echoU32s(Uint32Array.of(2, 4, 6));
  for (let i = 0; i < 2000; i++) fixture.echoU32s(Uint32Array.of(7, 7, 7));
  fixture.__collect();
  assert.equal(held, Uint32Array.of(2, 4, 6));
});
rules("refuses wrong types, and types that it cannot convert", () => {
  const fixture = load();
  assert.throws(() => fixture.greet(5), /expected String, got number/);
  assert.throws(() => fixture.echoU32s(Int32Array.of(1)), /expected Uint32Array, got object/);
  assert.throws(() => fixture.echoNumbers("12"), /expected Array<u32>, got string/);
  assert.throws(() => fixture.echoTyped([[1]]), /expected Uint8Array, got an array/);
  assert.throws(() => fixture.greet(), /Expected 1 arguments, got 0/);
  assert.throws(() => fixture.makePoint(), /no conversion between JavaScript and .*Point/);
});
rules("does not ask for Response, for which Node would load its HTTP client", () => {
  const before = Object.getOwnPropertyDescriptor(globalThis, "Response")!;
  let asked = false;
  Object.defineProperty(globalThis, "Response", { configurable: true, get: () => (asked = true) });
  load();
  Object.defineProperty(globalThis, "Response", before);
  assert.is(asked, false);
});
rules("an exception of the module is an error with its message", () => {
  const fixture = load();
  assert.throws(() => fixture.fail("the reason"), /the reason/);
});
rules("holds its memory when collected between calls", () => {
  const fixture = load();
  const items = Array.from({ length: 64 }, (_, i) => `some text ${i}`);
  const run = (calls: number): number => {
    for (let i = 0; i < calls; i++) {
      fixture.echoStrings(items);
      if (i % 16 === 0) fixture.__collect();
    }
    return fixture.memory.buffer.byteLength;
  };
  const before = run(200);
  assert.is(run(2000), before);
});
rules("works with objects above 2 GiB", () => {
  const fixture = load();
  const memory = fixture.memory;
  memory.grow(40_000 - memory.buffer.byteLength / 65536); // 2.6 GB of address space, not of memory
  const big = 2 ** 30 - 64; // the allocator's largest object
  fixture.__pin(fixture.__new(big, 1));
  fixture.__pin(fixture.__new(big, 1));
  const pointer = fixture.__new(16, 1) >>> 0;
  assert.ok(pointer > 2 ** 31, "the next objects are above 2 GiB");
  assert.is(fixture.greet("high"), "hello, high");
  assert.equal(fixture.echoU64s(BigUint64Array.of(1n, 2n)), BigUint64Array.of(1n, 2n));
  assert.equal(fixture.echoBuffer(Uint8Array.of(9, 8).buffer), Uint8Array.of(9, 8).buffer);
  assert.equal(fixture.echoNested([[1], [2, 3]]), [[1], [2, 3]]);
  assert.equal(fixture.echoStrings(["x", "y"]), ["x", "y"]);
});
rules.run();
