/** Kinds of arguments: a right value, and every kind of wrong one with what the refusal must say. */
import type { World } from "./world.ts";

export type Given = (w: World) => unknown;

/** A wrong value. */
export interface Wrong {
  given: Given;
  /**
   * TypeError, RangeError, an HmmError's code, or what the call returns (protocol functions answer -EINVAL).
   */
  outcome: "TypeError" | "RangeError" | `E${string}` | number;
  /** The expectation, as the message has it. */
  says: RegExp;
  /** How messages show the value, if not as {@link shown} does. */
  shows?: string | RegExp;
  /** What messages call the argument, if this value makes a difference. */
  names?: string | RegExp;
  /** The core refused it: areas of its memory that hold no state may differ. */
  core?: boolean;
}

export interface Argument {
  /** undefined: left out. */
  right: Given;
  wrongs: Wrong[];
  /** Why there is no wrong value. */
  reason?: string;
  /** Its name in messages, if not the parameter's. */
  as?: string;
}

/** How messages show a value. */
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

/** undefined, unless it may be left out. */
const missing = (right: unknown): undefined[] => (right === undefined ? [] : [undefined]);

/** An integer from min to max. `right` undefined: it may be left out. */
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

/** A virtual address; a page's, or a multiple of so many bytes. */
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

/** Bytes, at least min. */
export const length = (right: number, min: number): Argument => integer(right, min, 2 ** 48);

/** The end of a range of pages: above its start. */
export function rangeEnd(right: Given, start: Given): Argument {
  const page = pageAddress(right);
  // 2^48 is an end.
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

/** An argument that may be left out, and is not here. */
export const optional = (argument: Argument): Argument => ({
  ...argument,
  wrongs: argument.wrongs.filter(({ given }) => !isUndefined(given)),
});

/** Some values are made from a world; those that are left out are not. */
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

/** true, false, or (if `right` is left out) nothing. */
export function flag(right?: boolean): Argument {
  return {
    right: constant(right),
    wrongs: types([1, 0, "yes", null, {}, ...missing(right)], /must be a boolean/),
  };
}

/** A string, or nothing. */
export function text(): Argument {
  return { right: constant(undefined), wrongs: types([1, true, null, {}, ["id"]], /must be a string/) };
}

/** A function. */
export function callback(right: unknown): Argument {
  const wrong = [1, "f", true, {}, ...(right === undefined ? [] : [undefined]), null];
  return { right: constant(right), wrongs: types(wrong, /must be a function/) };
}

/** An object of a class, as the messages call it. `more`: those that are closed, or somebody else's. */
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

/** A closed object of the right class: the message says what it is. */
export const ended = (given: Given, says: RegExp): Wrong => ({
  given,
  outcome: "TypeError",
  says,
  shows: "",
});

/** An object of options; `optional`: may be left out. */
export function bag(optional: boolean): Argument {
  const wrong = [null, 5, "options", true, ...(optional ? [] : [undefined])];
  return { right: constant(undefined), wrongs: types(wrong, /must be an object/) };
}

/** The same values refused in another way: protocol functions answer a negative errno. */
export const answering = (argument: Argument, outcome: number): Argument => ({
  ...argument,
  wrongs: argument.wrongs.map((wrong) => ({ ...wrong, outcome })),
});

/** More values that are wrong. */
export const also = (argument: Argument, ...wrongs: Wrong[]): Argument => ({
  ...argument,
  wrongs: [...argument.wrongs, ...wrongs],
});

/** An argument of which nothing is wrong, for this reason. */
export const anything = (right: unknown, reason: string): Argument => ({
  right: asGiven(right),
  wrongs: [],
  reason,
});
