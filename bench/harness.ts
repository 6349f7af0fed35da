/**
 * How every row is measured. Two programs run alternately (A B A B …) on one processor (processor.ts). The
 * results of both are hashed and compared, and the figure is the median of the ratios of neighboring
 * repetitions. A row is a file of bench/rows with a `Row` as its default export; rows.ts lists the rows.
 */

/** One repetition: how long its measured part took, and a hash of what it computed. */
export interface Sample {
  readonly ns: number;
  readonly hash: number;
}

/** One of the programs that are compared. */
export interface Side {
  /** Runs one repetition. `ns` excludes set-up, clean-up and hashing. */
  run(): Sample | Promise<Sample>;
  close?(): void | Promise<void>;
}

/** The result of one comparison, as the JSON file has it. */
export interface Result {
  readonly row: string;
  readonly rival: string;
  /**
   * Median in nanoseconds a unit of the row (a page, a walk). `theirs` is null if the rival cannot run here.
   */
  readonly ours: number;
  readonly theirs: number | null;
  readonly ratio: number | null;
  readonly target: number;
  readonly met: boolean | null;
  readonly samples: { readonly ours: readonly number[]; readonly theirs: readonly number[] };
}

export interface Options {
  /** Pairs measured for each rival, at least. Short pairs repeat until PAIR_SECONDS have passed. */
  readonly pairs: number;
  /** Tiny sizes and no warm-up: checks that the bench runs and that both sides compute the same. */
  readonly smoke: boolean;
}

/** What a row works with. */
export interface Context extends Options {
  /** Prints a line of detail (a stage, a reason) below the row's figures. */
  note(text: string): void;
  /** Prints the line of a result that the row has computed itself. */
  print(result: Result): void;
  /** Compares `ours` with each rival. Closes the rivals; the row closes `ours`. */
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
  /** The largest ratio of our time to theirs that meets the target. */
  readonly target: number;
  /** The programs that this rival stands for; the fastest one counts. Null: the rival cannot run here. */
  readonly sides: readonly Side[] | null;
  /** True if the slowest program counts instead. */
  readonly slowest?: boolean;
  /**
   * False for a program that does another kind of work (the host's kernel), whose hash is not compared.
   * Default: true.
   */
  readonly sameHash?: boolean;
}

export interface Row {
  readonly title: string;
  /** The unit of work that `ours` and `theirs` are nanoseconds of. */
  readonly unit: string;
  /**
   * True for programs with several threads. They are measured on all processors instead of one
   * (processor.ts).
   */
  readonly threads?: boolean;
  run(context: Context): Promise<Result[]>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export const HASH_SEED = 0x811c9dc5;

/** Hashes words by FNV-1a, as hash_words() of native/twin.h does. */
export function hashWords(hash: number, words: Uint32Array): number {
  for (let i = 0; i < words.length; i++) hash = Math.imul(hash ^ words[i], 0x01000193);
  return hash >>> 0;
}

export function hashWord(hash: number, word: number): number {
  return Math.imul(hash ^ word, 0x01000193) >>> 0;
}

/** Returns a small seeded generator (xorshift32), so that every run does the same work. */
export function random(seed: number): (below: number) => number {
  let state = seed | 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor(((state >>> 0) / 0x100000000) * below);
  };
}

/** Returns a side that times `work` alone. `hash` reads its results after the clock has stopped. */
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

/**
 * Seconds for which both sides run before they are measured. V8 compiles in tiers, and caches and predictors
 * fill.
 */
const WARM_UP_SECONDS = 0.5;
const WARM_UP_RUNS = 3;
/**
 * Seconds that the pairs of one rival take at least, and their largest number. The median of many pairs is
 * steadier.
 */
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

/** Returns our own figure, with null for a rival that cannot run here. */
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

/** Compares `ours` with each rival in turn. Throws Error if a hash differs. Closes the rivals in any case. */
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
