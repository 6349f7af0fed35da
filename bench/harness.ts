/**
 * How every row is measured: two programs run alternately (A B A B …), the result of each repetition is hashed and
 * compared, and what counts is the median of the ratios of neighbours. Both run on one processor (processor.ts). A row is a file bench/pN.ts with a `Row` as
 * its default export; main.ts finds it by its name.
 */

/** One repetition: how long the measured part took, and a hash of what it computed. */
export interface Sample {
  readonly ns: number;
  readonly hash: number;
}

/** One of the programs that are compared. */
export interface Side {
  /** Runs one repetition. Set-up, clean-up and hashing are outside of what `ns` measures. */
  run(): Sample | Promise<Sample>;
  close?(): void | Promise<void>;
}

/** What a row's comparisons look like in the JSON file. */
export interface Result {
  readonly row: string;
  readonly rival: string;
  /** Nanoseconds a unit (the row says which: a page, a walk), medians; null where the rival cannot run here. */
  readonly ours: number;
  readonly theirs: number | null;
  readonly ratio: number | null;
  readonly target: number;
  readonly met: boolean | null;
  readonly samples: { readonly ours: readonly number[]; readonly theirs: readonly number[] };
}

export interface Options {
  /** The least number of pairs measured for each rival; short ones are repeated until PAIR_SECONDS are spent. */
  readonly pairs: number;
  /** Tiny sizes, one pair, no warm-up: does it run, and do both sides compute the same? */
  readonly smoke: boolean;
}

/** What a row gets to work with. */
export interface Context extends Options {
  /** A line of detail (a stage, a reason) that is printed under the row's figures. */
  note(text: string): void;
  /** Prints the line of a result that the row has made itself. */
  print(result: Result): void;
  /** Compares `ours` with each rival; closes the rivals, not `ours`. */
  compare(spec: Comparison): Promise<Result[]>;
}

export interface Comparison {
  readonly ours: Side;
  /** Units of work in a repetition. */
  readonly units: number;
  readonly rivals: readonly Rival[];
}

export interface Rival {
  readonly name: string;
  /** Our time over theirs must not exceed it. */
  readonly target: number;
  /** The programs that this rival stands for: the faster one counts. Null: it cannot run here. */
  readonly sides: readonly Side[] | null;
  /** The slower one counts instead. */
  readonly slowest?: boolean;
  /** False for a program that does another kind of work (the host's kernel): only ours is hashed. Default true. */
  readonly sameHash?: boolean;
}

export interface Row {
  readonly title: string;
  /** What `ours` and `theirs` are nanoseconds of. */
  readonly unit: string;
  /** Its programs have several threads that work at once: it is measured on all processors, not on one (processor.ts). */
  readonly threads?: boolean;
  run(context: Context): Promise<Result[]>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export const HASH_SEED = 0x811c9dc5;

/** The same hash as twin.h's: FNV-1a over words. */
export function hashWords(hash: number, words: Uint32Array): number {
  for (let i = 0; i < words.length; i++) hash = Math.imul(hash ^ words[i], 0x01000193);
  return hash >>> 0;
}

export function hashWord(hash: number, word: number): number {
  return Math.imul(hash ^ word, 0x01000193) >>> 0;
}

/** A small generator with a seed (xorshift32), so that every run does the same work. */
export function random(seed: number): (below: number) => number {
  let state = seed | 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor(((state >>> 0) / 0x100000000) * below);
  };
}

/** Times `work` alone; `hash` looks at what it did after the clock has stopped. */
export function side(work: () => void, hash: () => number, prepare?: () => void): Side {
  return {
    run() {
      prepare?.();
      const start = performance.now();
      work();
      const ns = (performance.now() - start) * 1e6;
      return { ns, hash: hash() };
    },
  };
}

/** Seconds for which both sides run before they are measured: V8 compiles in tiers, caches and predictors fill. */
const WARM_UP_SECONDS = 0.5;
const WARM_UP_RUNS = 3;
/** Time that the pairs of one rival take at least, and pairs at most: the median of many short ones is steadier. */
const PAIR_SECONDS = 3;
const PAIRS_MAX = 101;

interface Pair {
  readonly ours: number[];
  readonly theirs: number[];
}

async function measured(side: Side, hash: number | null, who: string): Promise<number> {
  const sample = await side.run();
  if (hash !== null && sample.hash !== hash) {
    throw new Error(`${who}: result hash ${sample.hash}, expected ${hash}: the two sides did different work`);
  }
  return sample.ns;
}

async function warmUp(side: Side, hash: number | null, who: string, smoke: boolean): Promise<void> {
  const until = performance.now() + (smoke ? 0 : WARM_UP_SECONDS * 1000);
  let runs = 0;
  do {
    await measured(side, hash, who);
    runs++;
  } while (performance.now() < until || (!smoke && runs < WARM_UP_RUNS));
}

async function alternate(
  ours: Side,
  theirs: Side,
  hash: number,
  same: boolean,
  options: Options,
): Promise<Pair> {
  const pair: Pair = { ours: [], theirs: [] };
  const until = performance.now() + (options.smoke ? 0 : PAIR_SECONDS * 1000);
  for (let i = 0; i < options.pairs || (i < PAIRS_MAX && performance.now() < until); i++) {
    pair.ours.push(await measured(ours, hash, "ours"));
    pair.theirs.push(await measured(theirs, same ? hash : null, "rival"));
  }
  return pair;
}

const perUnit = (samples: readonly number[], units: number): number[] => samples.map((ns) => ns / units);

function result(row: string, rival: Rival, units: number, pair: Pair): Result {
  const ratio = median(pair.ours.map((ns, i) => ns / pair.theirs[i]));
  const samples = { ours: perUnit(pair.ours, units), theirs: perUnit(pair.theirs, units) };
  return {
    row,
    rival: rival.name,
    ours: median(samples.ours),
    theirs: median(samples.theirs),
    ratio,
    target: rival.target,
    met: ratio <= rival.target,
    samples,
  };
}

/** A rival that cannot run here: our own figure, and null for the rest. */
async function alone(row: string, rival: Rival, spec: Comparison, pairs: number): Promise<Result> {
  const samples: number[] = [];
  for (let i = 0; i < pairs; i++) samples.push((await spec.ours.run()).ns / spec.units);
  const none = { theirs: null, ratio: null, met: null };
  return {
    row,
    rival: rival.name,
    ours: median(samples),
    target: rival.target,
    ...none,
    samples: { ours: samples, theirs: [] },
  };
}

async function compareRival(
  row: string,
  spec: Comparison,
  rival: Rival,
  hash: number,
  options: Options,
): Promise<Result> {
  if (rival.sides === null) return alone(row, rival, spec, options.pairs);
  const same = rival.sameHash ?? true;
  const candidates: Pair[] = [];
  for (const theirs of rival.sides) {
    await warmUp(theirs, same ? hash : null, `${row} ${rival.name}`, options.smoke);
    candidates.push(await alternate(spec.ours, theirs, hash, same, options));
    await theirs.close?.();
  }
  candidates.sort((a, b) => median(a.theirs) - median(b.theirs));
  return result(row, rival, spec.units, candidates.at(rival.slowest === true ? -1 : 0)!);
}

/** Measures `ours` against each rival in turn. Throws when a hash differs. The rivals are closed in any case. */
export async function compare(row: string, spec: Comparison, options: Options): Promise<Result[]> {
  try {
    const { hash } = await spec.ours.run();
    await warmUp(spec.ours, hash, `${row} ours`, options.smoke);
    const results: Result[] = [];
    for (const rival of spec.rivals) results.push(await compareRival(row, spec, rival, hash, options));
    return results;
  } finally {
    for (const { sides } of spec.rivals) for (const theirs of sides ?? []) await theirs.close?.();
  }
}
