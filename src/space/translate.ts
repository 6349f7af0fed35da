import type { Context } from "../engine/context.ts";
import { badRange, badType } from "../engine/errors.ts";
import { AddressArray, checkPfns, withPfns } from "../page/arrays.ts";
import type { Space } from "./space.ts";

/**
 * Has `call` translate addresses, n at `from` in linear memory, to words at `to`. `call` returns how many
 * words are not 0, and so does this function. Throws TypeError and RangeError for arrays of other types, for
 * an `out` that is too short, and for an address from 2^48 on.
 */
export function translateBatch(
  ctx: Context,
  op: string,
  addresses: Float64Array,
  out: Uint32Array,
  call: (from: number, n: number, to: number) => number,
): number {
  if (!(addresses instanceof Float64Array)) {
    throw badType(op, "addresses", "an AddressArray or a Float64Array", addresses);
  }
  if (addresses instanceof AddressArray && addresses.closed)
    throw new TypeError(`${op}: addresses is closed`);
  const n = addresses.length;
  checkPfns(op, "out", out, n);
  if (n === 0) return 0;
  const run = (from: number): number => {
    const found = withPfns(ctx, op, out, n, "out", (to) => call(from, n, to));
    if (found >= 0) return found;
    const bad = ctx.core.addressesBelow48(from, n);
    throw badRange(op, `addresses[${bad}]`, "an address below 2^48", addresses[bad]);
  };
  if (addresses.buffer === ctx.mem.buffer) return ctx.finish(op, run(addresses.byteOffset));
  const found = ctx.withScratch(op, 8 * n, (from) => {
    new Float64Array(ctx.mem.buffer, from, n).set(addresses);
    return run(from);
  });
  return ctx.finish(op, found);
}

/** Mm.translate. */
export function translate(mm: Space, addresses: Float64Array, out: Uint32Array): number {
  const op = "mm.translate";
  const ctx = mm.check(op);
  return translateBatch(ctx, op, addresses, out, (from, n, to) => ctx.core.translate(mm.id, from, n, to));
}
