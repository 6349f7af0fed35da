/**
 * Returns how many of `n` entries of an order of use are skipped: UVM-Smart's reserve (ISCA 2019) of so many
 * percent, rounded down.
 */
export function reserved(n: number, percent: number): number {
  return Math.floor((n * percent) / 100);
}
