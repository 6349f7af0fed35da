/** Matrix products C = A × B of square matrices. */
import type { Nest } from "./nest.ts";
import { WorkloadError } from "./spec.ts";
import {
  INIT,
  initialise,
  nestKernel,
  place,
  READ,
  readBack,
  SIZE,
  workload,
  type WorkloadRange,
} from "./workload.ts";

/** Bytes of an element. */
const ELEMENT = 8;
/** The arrays are initialised and read by lines. */
const LINE = 64;

/** c[i][j] += a[i][k] * b[k][j], element by element. */
function* naive(ranges: readonly WorkloadRange[], n: number): Generator<Nest> {
  const row = n * ELEMENT;
  const [a, b, c] = ranges;
  for (let i = 0; i < n; i++) {
    yield {
      agent: "device",
      trips: [n, n],
      threads: [1, 0],
      accesses: [
        { kind: "load", range: 0, base: a.start + i * row, size: ELEMENT, strides: [0, ELEMENT] },
        { kind: "load", range: 1, base: b.start, size: ELEMENT, strides: [ELEMENT, row] },
      ],
    };
    yield {
      agent: "device",
      trips: [n],
      threads: [1],
      accesses: [{ kind: "store", range: 2, base: c.start + i * row, size: ELEMENT, strides: [ELEMENT] }],
    };
  }
}

/** Tile by tile: the rows of a tile of A and of one of B are read once for each tile of C. */
function* tiled(ranges: readonly WorkloadRange[], n: number, tile: number): Generator<Nest> {
  const row = n * ELEMENT;
  const wide = tile * ELEMENT;
  const tiles = n / tile;
  const [a, b, c] = ranges;
  for (let i = 0; i < tiles; i++) {
    for (let j = 0; j < tiles; j++) {
      yield {
        agent: "device",
        trips: [tiles, tile],
        threads: [0, 1],
        accesses: [
          { kind: "load", range: 0, base: a.start + i * tile * row, size: wide, strides: [wide, row] },
          { kind: "load", range: 1, base: b.start + j * wide, size: wide, strides: [tile * row, row] },
        ],
      };
      const base = c.start + i * tile * row + j * wide;
      yield {
        agent: "device",
        trips: [tile],
        threads: [1],
        accesses: [{ kind: "store", range: 2, base, size: wide, strides: [row] }],
      };
    }
  }
}

export const matmul = workload({
  about: "C = A × B of square matrices of doubles",
  parameters: {
    size: { ...SIZE, default: 3 * 2 ** 20 },
    tile: { kind: "count", default: 32, min: 1, max: 4096, about: "elements along a tile; 1: without tiles" },
    init: INIT,
    read: READ,
  },
  plan({ size, tile, init, read }) {
    const n = Math.floor(Math.sqrt(size / 3 / ELEMENT) / tile) * tile;
    if (n < 1)
      throw new WorkloadError(`matmul: ${size} bytes hold no three matrices of a ${tile}-element tile`);
    const bytes = n * n * ELEMENT;
    const ranges = place({ A: bytes, B: bytes, C: bytes });
    const grain = Math.min(LINE, bytes);
    return {
      ranges,
      *kernels() {
        yield* initialise(init, ranges, [0, 1], grain);
        yield nestKernel("matmul", tile === 1 ? naive(ranges, n) : tiled(ranges, n, tile));
        yield* readBack(read, ranges, 2, grain);
      },
    };
  },
});
