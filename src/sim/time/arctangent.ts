/**
 * An arctangent that is the same on every platform: Math.atan may differ in its last bit, and times must not.
 * It uses only operations that IEEE 754 rounds correctly.
 */

/** Terms of the series; with arguments below 2^-4 the rest is below 2^-60. */
const TERMS = 8;

/** Returns the arctangent of x ≥ 0, with an error of a few units in the last place. */
export function arctangent(x: number): number {
  // atan x = 2 atan(x / (1 + √(1 + x²))), which halves the angle: five times leave less than π/64.
  let y = x;
  for (let i = 0; i < 5; i++) y /= 1 + Math.sqrt(1 + y * y);
  const square = y * y;
  let sum = 0;
  for (let n = TERMS; n >= 0; n--) sum = 1 / (2 * n + 1) - square * sum;
  return 32 * y * sum;
}
