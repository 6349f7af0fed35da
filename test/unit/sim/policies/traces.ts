/** Generated traces of pages, for tests of policies. */
import { Random } from "../../../../src/testing.ts";

/**
 * The n-th trace: 20 to 120 accesses to 2 to 12 pages, every 20th one five times as many to up to 45; hot
 * pages, scans and loops mixed.
 */
export function traceOf(n: number): number[] {
  const random = new Random(n);
  const pages = 2 + random.below(n % 20 === 0 ? 44 : 11);
  const length = (n % 20 === 0 ? 5 : 1) * (20 + random.below(101));
  const trace: number[] = [];
  while (trace.length < length) {
    const start = random.below(pages);
    const run = 1 + random.below(pages);
    const kind = random.below(3);
    for (let i = 0; i < run; i++) {
      if (kind === 0) trace.push((start + i) % pages);
      else if (kind === 1) trace.push(random.below(Math.ceil(pages / 3)));
      else trace.push(random.below(pages));
    }
  }
  return trace.slice(0, length);
}
