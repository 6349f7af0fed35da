/**
 * Stencils over a square or a cube: each point from its neighbors, from one array into the other and back.
 */
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
  type WorkloadRange,
} from "./workload.ts";

/** Bytes of a point. */
const POINT = 8;
const LEAST = 3;

/** Points along a side, so that two arrays of side^dimensions points fit into `size`; whole grains a row. */
function sideOf(name: string, size: number, grain: number, dimensions: number): number {
  const most = Math.floor((size / 2 / POINT) ** (1 / dimensions) + 1e-9);
  const side = grain > POINT ? Math.floor((most * POINT) / grain) * (grain / POINT) : most;
  if (!Number.isInteger(side) || side < LEAST)
    throw new WorkloadError(`${name}: ${size} bytes give no rows of whole ${grain}-byte grains`);
  return side;
}

/**
 * One sweep over the inner points. With a grain of one point, left and right neighbors are accesses of their
 * own; with larger ones the grain of the point has them.
 */
function sweepPoints(
  ranges: readonly WorkloadRange[],
  from: number,
  side: number,
  grain: number,
  planes: boolean,
) {
  const row = side * POINT;
  const plane = side * row;
  const step = Math.max(grain, POINT);
  const edge = grain > POINT ? 0 : POINT;
  const inner = side - 2;
  const columns = grain > POINT ? row / grain : inner;
  const origin = (planes ? plane : 0) + row + edge;
  const strides = planes ? [plane, row, step] : [row, step];
  const access = (kind: "load" | "store", range: number, offset: number): NestAccess => ({
    kind,
    range,
    base: ranges[range].start + origin + offset,
    size: step,
    strides,
  });
  const sides = grain > POINT ? [] : [-POINT, POINT];
  const offsets = [...(planes ? [-plane] : []), -row, ...sides, 0, row, ...(planes ? [plane] : [])];
  const nest: Nest = {
    agent: "device",
    trips: planes ? [inner, inner, columns] : [inner, columns],
    threads: planes ? [0, columns, 1] : [columns, 1],
    accesses: [...offsets.map((offset) => access("load", from, offset)), access("store", 1 - from, 0)],
  };
  return nest;
}

function stencil(name: string, dimensions: 2 | 3) {
  return workload({
    about: `a ${dimensions === 2 ? "five-point stencil over a square" : "seven-point stencil over a cube"}`,
    parameters: {
      size: SIZE,
      grain: GRAIN,
      iterations: { ...ITERATIONS, default: 2 },
      init: INIT,
      read: READ,
    },
    plan({ size, grain, iterations, init, read }) {
      const side = sideOf(name, size, grain, dimensions);
      const bytes = side ** dimensions * POINT;
      const ranges = place({ a: bytes, b: bytes });
      return {
        ranges,
        *kernels() {
          yield* initialise(init, ranges, [0, 1], grain);
          for (let i = 0; i < iterations; i++)
            yield nestKernel(name, [sweepPoints(ranges, i % 2, side, grain, dimensions === 3)]);
          yield* readBack(read, ranges, iterations % 2, grain);
        },
      };
    },
  });
}

export const stencil2d = stencil("stencil2d", 2);
export const stencil3d = stencil("stencil3d", 3);
