/** Random accesses to a table: GUPS, a pointer chase, Zipf's distribution, and a hash join. */
import type { NestAccess } from "./nest.ts";
import { WorkloadError } from "./spec.ts";
import { GRAIN, INIT, initialise, nestKernel, place, SEED, SIZE, workload } from "./workload.ts";

const WORD = 8;
const PAGE = 4096;
const log2 = (n: number): number => Math.floor(Math.log2(n));

export const gups = workload({
  about: "random updates of words of a table (HPCC RandomAccess)",
  parameters: {
    size: SIZE,
    updates: { kind: "count", default: 2 ** 22, min: 1, about: "how many words are updated" },
    seed: SEED,
    init: { ...INIT, default: "none" },
  },
  plan({ size, updates, seed, init }) {
    const ranges = place({ table: size });
    const count = Math.floor(size / WORD);
    return {
      ranges,
      *kernels(module) {
        yield* initialise(init, ranges, [0], PAGE);
        module.seed(seed);
        const [{ start: base }] = ranges;
        const access: NestAccess = {
          kind: "modify",
          range: 0,
          base,
          size: WORD,
          mode: "random",
          count,
          unit: WORD,
        };
        yield nestKernel("update", [{ agent: "device", trips: [updates], threads: [1], accesses: [access] }]);
      },
    };
  },
});

export const chase = workload({
  about: "a chain of pointers through every node of a table, in a shuffled order",
  parameters: {
    size: SIZE,
    node: { kind: "bytes", default: 64, min: 8, about: "bytes of a node" },
    rounds: { kind: "count", default: 1, min: 1, about: "how often the chain is followed" },
    seed: SEED,
    init: { ...INIT, default: "none" },
  },
  plan({ size, node, rounds, seed, init }) {
    if (size < node) throw new WorkloadError(`chase: ${size} bytes hold no node of ${node}`);
    const bits = log2(size / node);
    const ranges = place({ nodes: 2 ** bits * node });
    const [{ start: base }] = ranges;
    const access = {
      kind: "load",
      range: 0,
      base,
      size: WORD,
      mode: "permuted",
      count: 2 ** bits,
      unit: node,
    } as const;
    return {
      ranges,
      *kernels() {
        yield* initialise(init, ranges, [0], PAGE);
        for (let i = 0; i < rounds; i++)
          yield nestKernel("chase", [{ agent: "device", trips: [2 ** bits], key: seed, accesses: [access] }]);
      },
    };
  },
});

export const zipf = workload({
  about: "accesses to pieces of a table whose popularity falls with their rank's power",
  parameters: {
    size: SIZE,
    grain: { ...GRAIN, default: PAGE, about: "bytes of a piece, which one access touches" },
    accesses: { kind: "count", default: 2 ** 22, min: 1, about: "how many accesses are made" },
    exponent: { kind: "share", default: 0.99, max: 4, about: "the power: 0 makes all pieces alike" },
    writes: { kind: "share", default: 0, about: "the share of stores" },
    seed: SEED,
    init: { ...INIT, default: "none" },
  },
  plan({ size, grain, accesses, exponent, writes, seed, init }) {
    if (size < grain) throw new WorkloadError(`zipf: ${size} bytes hold no piece of ${grain}`);
    const items = Math.floor(size / grain);
    const ranges = place({ table: items * grain });
    const [{ start: base }] = ranges;
    const kind = "load";
    const where = { mode: "zipf", count: items, unit: grain } as const;
    const access: NestAccess = { kind, range: 0, base, size: Math.min(grain, WORD), writes, ...where };
    return {
      ranges,
      *kernels(module) {
        yield* initialise(init, ranges, [0], PAGE);
        module.zipf(items, exponent);
        module.seed(seed);
        yield nestKernel("zipf", [
          { agent: "device", trips: [accesses], threads: [1], key: seed, accesses: [access] },
        ]);
      },
    };
  },
});

/** Bytes of a row: a key and a value. */
const ROW = 16;

export const hashjoin = workload({
  about: "a hash join: a table is built from R, and probed with each row of S",
  parameters: {
    size: { ...SIZE, about: "bytes of R, S and the hash table" },
    ratio: { kind: "count", default: 4, min: 1, max: 1024, about: "rows of S for each row of R" },
    seed: SEED,
    init: INIT,
  },
  plan({ size, ratio, seed, init }) {
    // The table has two buckets a row of R, and no collisions: R takes one part, the table two, S `ratio`
    // parts.
    const bits = log2(size / ROW / (ratio + 3));
    if (bits < 1) throw new WorkloadError(`hashjoin: ${size} bytes hold no R, S and table`);
    const rows = 2 ** bits;
    const ranges = place({ R: rows * ROW, table: 2 * rows * ROW, S: ratio * rows * ROW });
    const [r, table, s] = ranges;
    const scan = (range: number, base: number): NestAccess => ({
      kind: "load",
      range,
      base,
      size: ROW,
      strides: [ROW],
    });
    const bucket = { range: 1, base: table.start, size: ROW, unit: ROW } as const;
    return {
      ranges,
      *kernels(module) {
        yield* initialise(init, ranges, [0, 2], PAGE);
        module.seed(seed);
        const insert: NestAccess = { ...bucket, kind: "store", mode: "permuted", count: 2 * rows };
        const agent = "device";
        const threads = [1];
        yield nestKernel("build", [
          { agent, threads, trips: [rows], key: seed, accesses: [scan(0, r.start), insert] },
        ]);
        const probe: NestAccess = { ...bucket, kind: "load", mode: "random", count: 2 * rows };
        const trips = [ratio * rows];
        yield nestKernel("probe", [{ agent, threads, trips, accesses: [scan(2, s.start), probe] }]);
      },
    };
  },
});
