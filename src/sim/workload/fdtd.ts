/** PolyBench's fdtd-2d: electric and magnetic fields on a square, which three kernels a step update. */
import type { Nest, NestAccess } from "./nest.ts";
import { WorkloadError } from "./spec.ts";
import {
  GRAIN,
  INIT,
  initialise,
  ITERATIONS,
  nestKernel,
  place,
  READ,
  readBack,
  SIZE,
  workload,
  type Kernel,
  type WorkloadRange,
} from "./workload.ts";

/** Bytes of a point. */
const POINT = 4;
/** The arrays, in the order of the program's arguments. */
const [FICT, EX, EY, HZ] = [0, 1, 2, 3];

/** Points along a side, so that ex (n · (n + 1) points), ey (as many) and hz (n · n) fit into `size`. */
function sideOf(size: number): number {
  // 3 n² + 2 n ≤ size / POINT
  return Math.floor((Math.sqrt(1 + (3 * size) / POINT) - 1) / 3 + 1e-9);
}

/**
 * Sweeps over hz's points, a grain each: neighbors in the row are in the point's grain. The first row ends
 * before grain `first`, and the last whole grain is the one before `all`.
 */
function sweepGrains(side: number, grain: number, ranges: readonly WorkloadRange[]) {
  const row = side * POINT;
  const [first, all] = [Math.ceil(row / grain), Math.floor((side * row) / grain)];
  if (!(first < all))
    throw new WorkloadError(`fdtd2d: ${side} × ${side} points give no rows of ${grain}-byte grains`);
  /** An access to an array, some rows further on. */
  const at = (kind: "load" | "store", range: number, rows = 0): NestAccess => ({
    kind,
    range,
    base: ranges[range].start + rows * row,
    size: grain,
    strides: [grain],
  });
  /** Grains [from, to) of an array of side · side points. */
  const nest = (from: number, to: number, accesses: readonly NestAccess[]): Nest => ({
    agent: "device",
    trips: [to - from],
    threads: [1],
    accesses: accesses.map((access) => ({ ...access, base: access.base + from * grain })),
  });
  return { at, nest, all, first };
}

export const fdtd2d = workload({
  about: "the finite-difference time-domain method over a square, as PolyBench's fdtd-2d",
  parameters: {
    size: { ...SIZE, about: "bytes of ex, ey and hz" },
    grain: GRAIN,
    iterations: { ...ITERATIONS, default: 2, about: "time steps, of three kernels each" },
    init: INIT,
    read: READ,
  },
  plan({ size, grain, iterations, init, read }) {
    const side = sideOf(size);
    const points = { ex: side * (side + 1), ey: (side + 1) * side, hz: side * side };
    const ranges = place({
      fict: iterations * POINT,
      ...Object.fromEntries(Object.entries(points).map(([name, n]) => [name, n * POINT])),
    });
    const { at, nest, all, first } = sweepGrains(side, grain, ranges);
    const fict: NestAccess = { kind: "load", range: FICT, base: ranges[FICT].start, size: POINT };
    return {
      ranges,
      *kernels(): Generator<Kernel> {
        if (init !== "none") yield* initialise(init, ranges.slice(FICT, EX), [0], POINT);
        yield* initialise(init, ranges, [EX, EY, HZ], grain);
        for (let t = 0; t < iterations; t++) {
          const source = { ...fict, base: fict.base + t * POINT };
          yield nestKernel("ey", [
            // ey[0][j] = fict[t]; ey[i][j] -= 0.5 · (hz[i][j] − hz[i − 1][j])
            nest(0, first, [source, at("store", EY)]),
            nest(first, all, [at("load", EY), at("load", HZ), at("load", HZ, -1), at("store", EY)]),
          ]);
          // ex[i][j] -= 0.5 · (hz[i][j] − hz[i][j − 1])
          yield nestKernel("ex", [nest(0, all, [at("load", EX), at("load", HZ), at("store", EX)])]);
          // hz[i][j] -= 0.7 · (ex[i][j + 1] − ex[i][j] + ey[i + 1][j] − ey[i][j])
          const loads = [at("load", HZ), at("load", EX), at("load", EY, 1), at("load", EY)];
          yield nestKernel("hz", [nest(0, all, [...loads, at("store", HZ)])]);
        }
        yield* readBack(read, ranges, HZ, grain);
      },
    };
  },
});
