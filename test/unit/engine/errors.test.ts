import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  ADDRESS_LIMIT,
  badRange,
  badType,
  checkAddress,
  checkInteger,
  checkLength,
  checkMethod,
  checkPageAddress,
  checkPageRange,
  errnoName,
  HmmError,
} from "../../../src/engine/errors.ts";
import { Owners } from "../../../src/engine/owners.ts";
import { errorOf } from "../../util/driver.ts";

const test = suite("errors");

test("messages name operation, argument, expectation and value", () => {
  assert.is(badRange("f", "n", "positive", -1).message, "f: n must be positive, got -1");
  const values: [unknown, string][] = [
    [0x12345000, "0x12345000"],
    ["x", '"x"'],
    [null, "null"],
    [undefined, "undefined"],
    [5n, "5n"],
    [() => 1, "a function"],
    [Symbol("s"), "Symbol(s)"],
    [{}, "an object"],
    [new Map(), "a Map"],
    [Object.create(null), "an object"],
    [true, "true"],
  ];
  for (const [value, text] of values)
    assert.is(badType("f", "n", "it", value).message, `f: n must be it, got ${text}`);
});

test("numbers", () => {
  assert.is(checkInteger("f", "n", 5, 0, 10), 5);
  for (const bad of [-1, 11, 1.5, NaN, Infinity])
    assert.instance(
      errorOf(() => checkInteger("f", "n", bad, 0, 10)),
      RangeError,
    );
  for (const bad of ["5", null, undefined, 5n, {}])
    assert.instance(
      errorOf(() => checkInteger("f", "n", bad, 0, 10)),
      TypeError,
    );
  assert.is(checkAddress("f", "a", ADDRESS_LIMIT - 1), ADDRESS_LIMIT - 1);
  assert.instance(
    errorOf(() => checkAddress("f", "a", ADDRESS_LIMIT)),
    RangeError,
  );
  assert.instance(
    errorOf(() => checkPageAddress("f", "a", 4097)),
    RangeError,
  );
  assert.is(checkLength("f", "l", 1, 1), 4096);
  assert.is(checkLength("f", "l", 2 ** 47 + 1, 1), 2 ** 47 + 4096);
  assert.is(checkPageRange("f", 0, ADDRESS_LIMIT), 2 ** 36);
  assert.is(checkPageRange("f", 4096, 12288), 2);
  assert.instance(
    errorOf(() => checkPageRange("f", 4096, 4096)),
    RangeError,
  );
});

test("methods", () => {
  checkMethod("f", "ops", { a() {} }, "a");
  checkMethod("f", "ops", {}, "a", true);
  assert.is(
    errorOf(() => checkMethod("f", "ops", null, "a"))!.message,
    "f: ops.a must be a function, got undefined",
  );
  assert.instance(
    errorOf(() => checkMethod("f", "ops", { a: 1 }, "a", true)),
    TypeError,
  );
  assert.instance(
    errorOf(() => checkMethod("f", "ops", null, "a", true)),
    TypeError,
  );
});

test("errno names", () => {
  assert.equal([12, 35, 40, 1000, 77].map(errnoName), ["ENOMEM", "EDEADLK", "ELOOP", "EINVARIANT", "E77"]);
  const cause = new Error("x");
  const error = new HmmError(14, "mm.read", "SIGBUS", { cause, done: 3, address: 4096, faultCode: 3 });
  assert.equal([error.cause, error.done, error.address, error.faultCode], [cause, 3, 4096, 3]);
  assert.not("cause" in new HmmError(14, "x", ""));
});

test("owners: equal values are one owner", () => {
  const owners = new Owners();
  const gpu = {};
  assert.equal([owners.number(null), owners.number(undefined)], [0, 0]);
  assert.equal([owners.number(gpu), owners.number("b"), owners.number(gpu), owners.number({})], [1, 2, 1, 3]);
  assert.is(owners.value(2), "b");
  assert.is(owners.value(99), null);
  assert.is(owners.count, 3);
});

test.run();
