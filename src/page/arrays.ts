import type { Context } from "../engine/context.ts";
import { dispose } from "../engine/dispose.ts";
import { badRange, badType, checkInteger } from "../engine/errors.ts";
import { isEngineMemory } from "../engine/memory.ts";

/** Words and addresses that one array may have. */
const LENGTH_MAX = 2 ** 28;

/**
 * A Uint32Array in the engine's linear memory, which the protocol's calls read and write without a copy. Made
 * by `hmm.pfnArray(n)`, zeroed. The caller ends it with `close()` or `using` and must not use it afterwards.
 * Methods that make a new array (slice, map) make plain Uint32Arrays.
 */
export class PfnArray extends Uint32Array {
  #ctx: Context | null;
  readonly #address: number;
  readonly #words: number;

  private constructor(ctx: Context, address: number, n: number) {
    super(ctx.mem.buffer, address, n);
    this.#ctx = ctx;
    this.#address = address;
    this.#words = n;
    ctx.arrays.add(this);
  }

  /** @internal hmm.pfnArray. */
  static allocate(ctx: Context, n: number): PfnArray {
    const op = "hmm.pfnArray";
    checkInteger(op, "n", n, 0, LENGTH_MAX);
    return new PfnArray(ctx, ctx.alloc(op, Math.max(8, 4 * n)), n);
  }

  static get [Symbol.species](): Uint32ArrayConstructor {
    return Uint32Array;
  }

  /** @internal Whether `array` is open and has at least n words. Faster than asking for class and length. */
  static holds(array: unknown, n: number): array is PfnArray {
    if (typeof array !== "object" || array === null) return false;
    return #ctx in array && array.#ctx !== null && array.#words >= n;
  }

  /** @internal Its address if it is open and of this engine, else 0. Faster than asking for byteOffset. */
  static addressIn(ctx: Context, array: object): number {
    return #ctx in array && array.#ctx === ctx ? array.#address : 0;
  }

  /** Whether the array is closed. */
  get closed(): boolean {
    return this.#ctx === null;
  }

  /** Gives the memory back to the engine. Idempotent. */
  close(): void {
    if (this.#ctx !== null) free(this.#ctx, this);
    this.#ctx = null;
  }

  [dispose](): void {
    this.close();
  }
}

/**
 * A Float64Array in the engine's linear memory, for the addresses of `mm.translate`. Made by
 * `hmm.addressArray(n)`; otherwise like {@link PfnArray}.
 */
export class AddressArray extends Float64Array {
  #ctx: Context | null;

  private constructor(ctx: Context, address: number, n: number) {
    super(ctx.mem.buffer, address, n);
    this.#ctx = ctx;
    ctx.arrays.add(this);
  }

  /** @internal hmm.addressArray. */
  static allocate(ctx: Context, n: number): AddressArray {
    const op = "hmm.addressArray";
    checkInteger(op, "n", n, 0, LENGTH_MAX);
    return new AddressArray(ctx, ctx.alloc(op, Math.max(8, 8 * n)), n);
  }

  static get [Symbol.species](): Float64ArrayConstructor {
    return Float64Array;
  }

  /** Whether the array is closed. */
  get closed(): boolean {
    return this.#ctx === null;
  }

  /** Gives the memory back to the engine. Idempotent. */
  close(): void {
    if (this.#ctx !== null) free(this.#ctx, this);
    this.#ctx = null;
  }

  [dispose](): void {
    this.close();
  }
}

function free(ctx: Context, array: PfnArray | AddressArray): void {
  ctx.arrays.delete(array);
  ctx.core.arenaFree(array.byteOffset);
}

/** @internal How a call uses an array of words. */
export type PfnUse = "in" | "out" | "inout";

/**
 * @internal Returns `array`. Throws TypeError or RangeError unless it is an open array of at least n words.
 */
export function checkPfns(op: string, argument: string, array: unknown, n: number): Uint32Array {
  if (PfnArray.holds(array, n)) return array;
  if (!(array instanceof Uint32Array)) throw badType(op, argument, "a PfnArray or a Uint32Array", array);
  if (array instanceof PfnArray && array.closed) throw new TypeError(`${op}: ${argument} is closed`);
  if (array.length < n) throw badRange(op, argument, `at least ${n} words long`, array.length);
  return array;
}

/** @internal Returns the address of an open array in this engine's memory; 0 for any other array. */
export function pfnAddress(ctx: Context, array: Uint32Array): number {
  const known = PfnArray.addressIn(ctx, array);
  return known === 0 && array.buffer === ctx.mem.buffer ? array.byteOffset : known;
}

/**
 * @internal Runs `body` with the address of n words in linear memory: those of `array` itself if it lives
 * there, else of a copy that is copied in and out as `use` says. `of` is passed on to `body`, which then
 * needs no closure: that is faster.
 */
export function withPfns<T, Of = undefined>(
  ctx: Context,
  op: string,
  array: Uint32Array,
  n: number,
  use: PfnUse,
  body: (address: number, of: Of) => T,
  of?: Of,
): T {
  const address = pfnAddress(ctx, array);
  return address === 0 ? withCopy(ctx, op, array, n, use, body, of as Of) : body(address, of as Of);
}

function withCopy<T, Of>(
  ctx: Context,
  op: string,
  array: Uint32Array,
  n: number,
  use: PfnUse,
  body: (address: number, of: Of) => T,
  of: Of,
): T {
  if (isEngineMemory(array))
    throw new TypeError(
      `${op}: the array must be of this Hmm or a plain Uint32Array, got one of another Hmm`,
    );
  return ctx.withScratch(op, Math.max(4 * n, 8), (address) => {
    const words = ctx.mem.wordsAt(address, n);
    if (use !== "out") words.set(n === array.length ? array : array.subarray(0, n));
    const result = body(address, of);
    if (use !== "in") array.set(words);
    return result;
  });
}
