import { badRange, badType } from "../engine/errors.ts";
import { AddressArray, checkPfns, withPfns } from "../page/arrays.ts";
import type { Space } from "./space.ts";

const OP = "mm.translate";

/** Mm.translate. */
export function translate(mm: Space, addresses: Float64Array, out: Uint32Array): number {
  const ctx = mm.check(OP);
  if (!(addresses instanceof Float64Array)) {
    throw badType(OP, "addresses", "an AddressArray or a Float64Array", addresses);
  }
  if (addresses instanceof AddressArray && addresses.closed)
    throw new TypeError(`${OP}: addresses is closed`);
  const n = addresses.length;
  checkPfns(OP, "out", out, n);
  if (n === 0) return 0;
  const run = (from: number): number => {
    const found = withPfns(ctx, OP, out, n, "out", (to) => ctx.core.translate(mm.id, from, n, to));
    if (found >= 0) return found;
    const bad = ctx.core.addressesBelow48(from, n);
    throw badRange(OP, `addresses[${bad}]`, "an address below 2^48", addresses[bad]);
  };
  if (addresses.buffer === ctx.mem.buffer) return ctx.finish(OP, run(addresses.byteOffset));
  const found = ctx.withScratch(OP, 8 * n, (from) => {
    new Float64Array(ctx.mem.buffer, from, n).set(addresses);
    return run(from);
  });
  return ctx.finish(OP, found);
}
