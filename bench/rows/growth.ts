/**
 * P10: how P1, P3 and P4 scale with memory. The growth of a program is its time a page at 256 MiB or 1 GiB,
 * divided by its time a page at 16 MiB. Caches and TLBs make both sides slower; the ratio shows what the
 * engine adds to that.
 */
import { MIB } from "../engine.ts";
import { compare } from "../harness.ts";
import type { Context, Result, Row } from "../harness.ts";
import { measure as measureP1 } from "./range-snapshot.ts";
import { measureData as measureP3 } from "./migrate.ts";
import { measure as measureP4 } from "./populate.ts";

const TARGET = 1.15;
/**
 * Snapshots a repetition at 1 GiB. Smaller sizes take more of them, so that each repetition walks as many
 * pages.
 */
const SNAPSHOTS = 50;

interface Work {
  readonly name: string;
  measure(bytes: number, context: Context): Promise<Result[]>;
}

const WORKS: readonly Work[] = [
  {
    name: "P1",
    measure: (bytes, context) =>
      measureP1(bytes, context.smoke ? 1 : (SNAPSHOTS * 1024 * MIB) / bytes, context),
  },
  { name: "P3", measure: (bytes, context) => measureP3(bytes, TARGET, context) },
  { name: "P4", measure: (bytes, context) => measureP4(bytes, context) },
];

/** Returns a context that prints nothing and compares with a row's first rival only. */
function quiet(context: Context): Context {
  const { pairs, smoke } = context;
  return {
    pairs,
    smoke,
    note: () => undefined,
    print: () => undefined,
    compare: (spec) => compare("P10", { ...spec, rivals: spec.rivals.slice(0, 1) }, { pairs, smoke }),
  };
}

const sizeName = (bytes: number): string =>
  bytes < 1024 * MIB ? `${bytes / MIB}-MiB` : `${bytes / MIB / 1024}-GiB`;

/** Returns a result whose figures are multiples of the time at the smallest size. */
function growth(work: Work, bytes: number, small: Result, large: Result): Result {
  const times = (values: readonly number[], by: number): number[] => values.map((ns) => ns / by);
  const rival = `${work.name}-${sizeName(bytes)}`;
  const ours = large.ours / small.ours;
  const named = { row: "P10", rival, ours, target: TARGET };
  const samples = { ours: times(large.samples.ours, small.ours), theirs: [] };
  if (small.theirs === null || large.theirs === null)
    return { ...named, theirs: null, ratio: null, met: null, samples };
  const theirs = large.theirs / small.theirs;
  const ratio = ours / theirs;
  const both = { ...samples, theirs: times(large.samples.theirs, small.theirs) };
  return { ...named, theirs, ratio, met: ratio <= TARGET, samples: both };
}

function noteGrowth(work: Work, sizes: readonly number[], found: readonly Result[], context: Context): void {
  const figures = sizes.map((bytes, i) => {
    const { ours, theirs } = found[i];
    return `${sizeName(bytes)} ${ours.toPrecision(3)} / ${theirs?.toPrecision(3) ?? "–"}`;
  });
  context.note(`${work.name}, ours / ${found[0].rival}, ns a page: ${figures.join(" · ")}`);
}

const row: Row = {
  title: "growth of P1, P3 and P4 from 16 MiB on, over the rival's growth",
  unit: "page, as a multiple of 16 MiB's",
  async run(context) {
    const sizes = context.smoke ? [2 * MIB, 4 * MIB] : [16 * MIB, 256 * MIB, 1024 * MIB];
    const results: Result[] = [];
    for (const work of WORKS) {
      const found: Result[] = [];
      for (const bytes of sizes) found.push((await work.measure(bytes, quiet(context)))[0]);
      for (let i = 1; i < sizes.length; i++) {
        const result = growth(work, sizes[i], found[0], found[i]);
        context.print(result);
        results.push(result);
      }
      noteGrowth(work, sizes, found, context);
    }
    return results;
  },
};
export default row;
