/** Kinds of arguments: a valid value, and every kind of wrong value with what its refusal must say. */
import type { World } from "./world.ts";

export type Given = (w: World) => unknown;

/** A wrong value. */
export interface Wrong {
  given: Given;
  /**
   * TypeError, RangeError, an HmmError's code, or what the call returns (protocol functions answer -EINVAL).
   */
  outcome: "TypeError" | "RangeError" | `E${string}` | number;
  /** The expectation as the message states it. */
  says: RegExp;
  /** The value as messages show it, unless {@link shown} gives it. */
  shows?: string | RegExp;
  /** The argument's name in messages, if this value changes the name. */
  names?: string | RegExp;
  /** Whether the core refuses the value: then areas of linear memory that hold no state may change. */
  core?: boolean;
}

export interface Argument {
  /** Returns the valid value; undefined leaves the argument out. */
  right: Given;
  wrongs: Wrong[];
  /** Why there is no wrong value. */
  reason?: string;
  /** The argument's name in messages, unless it is the parameter's. */
  as?: string;
}

/** Returns a value as messages show it. */
export function shown(value: unknown): string {
  if (typeof value === "number")
    return Number.isInteger(value) && value > 0xffff ? `0x${value.toString(16)}` : `${value}`;
  if (typeof value === "string") return `"${value}"`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value === "symbol") return value.toString();
  if (typeof value !== "object" || value === null) return String(value);
  const { name } = value.constructor;
  return name === "Object" ? "an object" : `a ${name}`;
}

const constant =
  (value: unknown): Given =>
  () =>
    value;
const types = (values: readonly unknown[], says: RegExp): Wrong[] =>
  values.map((value) => ({ given: constant(value), outcome: "TypeError", says }));
const ranges = (values: readonly number[], says: RegExp): Wrong[] =>
  values.map((value) => ({ given: constant(value), outcome: "RangeError", says }));

const NO_NUMBERS = ["4096", null, {}, [], true, 4096n, constant(1)];
const asGiven = (right: unknown): Given => (typeof right === "function" ? (right as Given) : constant(right));

/** The wrong value undefined, unless the argument is optional. */
const missing = (right: unknown): undefined[] => (right === undefined ? [] : [undefined]);

/** An integer from min to max. `right` undefined makes it optional. */
export function integer(
  right: number | Given | undefined,
  min: number,
  max: number,
  says?: RegExp,
): Argument {
  const range = says ?? new RegExp(`an integer from ${shown(min)} to ${shown(max)}\\b`);
  const values = [NaN, min - 1, min + 0.5, -Infinity, Infinity, max + 1];
  return {
    right: asGiven(right),
    wrongs: [
      ...types([...NO_NUMBERS, ...missing(right)], /must be a number|must be an integer/),
      ...ranges(values, range),
    ],
  };
}

export const u32 = (right: number | Given | undefined): Argument => integer(right, 0, 0xffffffff);

/** A word of 32 bits, signed or unsigned. */
export const word = (right: number | Given | undefined): Argument =>
  integer(right, -0x80000000, 0xffffffff, /a word of 32 bits/);

/** A virtual address that is a multiple of `alignment` bytes. */
export function address(right: Given | undefined, alignment = 1): Argument {
  const below = /must be an address below 2\^48/;
  const unaligned =
    alignment === 4096 ? /must be a multiple of the page size \(4096\)/ : /must be a multiple of 4/;
  return {
    right: asGiven(right),
    wrongs: [
      ...types([...NO_NUMBERS, ...missing(right)], /must be an address \(a number\)/),
      ...ranges([NaN, -1, -4096, 0.5, Infinity, -Infinity, 2 ** 48], below),
      ...(alignment === 1 ? [] : ranges([1, 0x7fff0001, alignment / 2], unaligned)),
    ],
  };
}

export const pageAddress = (right: Given | undefined): Argument => address(right, 4096);

/** A number of bytes, at least min. */
export const length = (right: number, min: number): Argument => integer(right, min, 2 ** 48);

/** The end of a range of pages: above its start. */
export function rangeEnd(right: Given, start: Given): Argument {
  const page = pageAddress(right);
  // 2^48 is a valid end.
  const wrongs = page.wrongs.filter(({ given }) => given({} as World) !== 2 ** 48);
  const above = /must be above start \(0x/;
  return {
    right,
    wrongs: [
      ...wrongs,
      { given: constant(2 ** 48 + 4096), outcome: "RangeError", says: /below 2\^48/ },
      { given: start, outcome: "RangeError", says: above },
      { given: (w) => (start(w) as number) - 4096, outcome: "RangeError", says: above },
    ],
  };
}

/** An argument that may also be left out. */
export const optional = (argument: Argument): Argument => ({
  ...argument,
  wrongs: argument.wrongs.filter(({ given }) => !isUndefined(given)),
});

/** Whether a wrong value is undefined. Some values need a world; those are not. */
function isUndefined(given: Given): boolean {
  try {
    return given({} as World) === undefined;
  } catch {
    return false;
  }
}

/** An array of at least n words. */
export function words(right: Given, n: number): Argument {
  const says = /must be a PfnArray or a Uint32Array/;
  const wrong = [
    null,
    5,
    "pfns",
    {},
    [1, 2],
    new Int32Array(PLENTY),
    new Float64Array(PLENTY),
    new Uint8Array(PLENTY),
  ];
  const short: Wrong = {
    given: constant(new Uint32Array(Math.max(n - 1, 0))),
    outcome: "RangeError",
    says: new RegExp(`at least ${n} words long`),
    shows: String(n - 1),
  };
  return {
    right,
    wrongs: [
      ...types([...wrong, undefined], says),
      ...(n > 0 ? [short] : []),
      { given: (w) => w.closed.pfns, outcome: "TypeError", says: /is closed/, shows: "" },
    ],
  };
}

const PLENTY = 64;

/** An array of bytes. */
export function bytes(right: Given, says = /must be a Uint8Array/): Argument {
  return {
    right,
    wrongs: types(
      [null, undefined, "bytes", {}, [1, 2], new Uint16Array(4), new Float64Array(1), true],
      says,
    ),
  };
}

/** true, false or, if `right` is undefined, nothing. */
export function flag(right?: boolean): Argument {
  return {
    right: constant(right),
    wrongs: types([1, 0, "yes", null, {}, ...missing(right)], /must be a boolean/),
  };
}

/** An optional string. */
export function text(): Argument {
  return { right: constant(undefined), wrongs: types([1, true, null, {}, ["id"]], /must be a string/) };
}

/** A function. */
export function callback(right: unknown): Argument {
  const wrong = [1, "f", true, {}, ...(right === undefined ? [] : [undefined]), null];
  return { right: constant(right), wrongs: types(wrong, /must be a function/) };
}

/**
 * An object of a class, with the class as messages name it. `more`: closed objects, or objects of another
 * engine.
 */
export function object(
  right: Given,
  expected: string,
  more: Wrong[] = [],
  nullish: unknown[] = [null, undefined],
): Argument {
  const says = new RegExp(`must be ${expected}`);
  const strangers = types([...nullish, 5, "it", true, {}, new Date(0)], says);
  return { right, wrongs: [...strangers, ...more] };
}

/** A closed object of the right class; the message says so. */
export const ended = (given: Given, says: RegExp): Wrong => ({
  given,
  outcome: "TypeError",
  says,
  shows: "",
});

/** An object of options, optional if `optional`. */
export function bag(optional: boolean): Argument {
  const wrong = [null, 5, "options", true, ...(optional ? [] : [undefined])];
  return { right: constant(undefined), wrongs: types(wrong, /must be an object/) };
}

/** The same values with another outcome: protocol functions return a negative errno. */
export const answering = (argument: Argument, outcome: number): Argument => ({
  ...argument,
  wrongs: argument.wrongs.map((wrong) => ({ ...wrong, outcome })),
});

/** Adds wrong values. */
export const also = (argument: Argument, ...wrongs: Wrong[]): Argument => ({
  ...argument,
  wrongs: [...argument.wrongs, ...wrongs],
});

/** An argument without wrong values, for the given reason. */
export const anything = (right: unknown, reason: string): Argument => ({
  right: asGiven(right),
  wrongs: [],
  reason,
});
