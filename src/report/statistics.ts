/** Means of repeated runs, how sure they are, and which points no other one beats. */

/** Student's t for an interval of 95 percent, by degrees of freedom from 1 on. */
const T95 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
  2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/** Several values of one figure. */
export interface Summary {
  n: number;
  mean: number;
  least: number;
  most: number;
  /** Half the width of the interval that has the mean with 95 percent; 0 for one value. */
  half: number;
}

/** Student's t for 95 percent; above 30 degrees by an approximation that is right to three digits. */
function t95(degrees: number): number {
  return degrees <= T95.length ? T95[degrees - 1] : 1.96 + 2.42 / degrees;
}

/** Returns mean, extremes and interval of at least one value. */
export function summaryOf(values: readonly number[]): Summary {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const half = n < 2 ? 0 : t95(n - 1) * Math.sqrt(squares / (n - 1) / n);
  return { n, mean, least: Math.min(...values), most: Math.max(...values), half };
}

/**
 * Returns the points that no other one beats: less of one figure, and no more of the other. In the order of
 * the first figure, which rises, while the second falls.
 */
export function paretoFront<T>(points: readonly T[], of: (point: T) => [x: number, y: number]): T[] {
  const sorted = [...points].sort((a, b) => {
    const [[ax, ay], [bx, by]] = [of(a), of(b)];
    return ax - bx || ay - by;
  });
  let least = Infinity;
  return sorted.filter((point) => {
    const [, y] = of(point);
    if (y >= least) return false;
    least = y;
    return true;
  });
}
