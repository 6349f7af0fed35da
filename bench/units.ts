/** Figures that are not times: the "rival" is a unit, so that ratio and target are figures in that unit. */
import type { Rival, Side } from "./harness.ts";

/** Returns a side that reports a fixed figure instead of a time. */
export const size = (value: number): Side => ({ run: () => ({ ns: value, hash: 0 }) });

/** Returns the rival that is a unit of `value`, of which the row may take `target`. */
export const unit = (name: string, value: number, target: number): Rival => ({
  name,
  target,
  sides: [size(value)],
});
