/** Streams over arrays: the CUDA tutorial's `add`, and McCalpin's STREAM. */
import type { Nest, NestAccess } from "./nest.ts";
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

/** The accesses of `target[i] = f(sources[i]…)`, one pass of the device; each element is a thread's. */
function stream(ranges: readonly WorkloadRange[], sources: number[], target: number, grain: number): Nest {
  const access = (range: number, kind: "load" | "store"): NestAccess => ({
    kind,
    range,
    base: ranges[range].start,
    size: grain,
    strides: [grain],
  });
  return {
    agent: "device",
    trips: [Math.floor(ranges[target].bytes / grain)],
    threads: [1],
    accesses: [...sources.map((range) => access(range, "load")), access(target, "store")],
  };
}

/** A pass by several threads: thread t has the elements t, t + threads, …, as in CUDA's grid-stride loops. */
function gridStride(nest: Nest, grain: number, threads: number): Nest[] {
  const [elements] = nest.trips;
  const rest = elements % threads;
  const part = (first: number, trips: number[], strides: number[]): Nest => ({
    ...nest,
    trips,
    threads: trips.length === 1 ? [1] : [0, 1],
    accesses: nest.accesses.map((one) => ({ ...one, base: one.base + first * grain, strides })),
  });
  const rows = part(0, [(elements - rest) / threads, threads], [threads * grain, grain]);
  return [rows, part(elements - rest, [rest], [grain])].filter(({ trips }) => trips[0] > 0);
}

/** `count` arrays of equal size, a whole number of grains each. */
function arrays(names: readonly string[], size: number, grain: number): WorkloadRange[] {
  const bytes = Math.max(Math.floor(size / names.length / grain), 1) * grain;
  return place(Object.fromEntries(names.map((name) => [name, bytes])));
}

export const add = workload({
  about: "y[i] = x[i] + y[i], as in CUDA's tutorial on unified memory",
  parameters: {
    size: SIZE,
    grain: GRAIN,
    iterations: ITERATIONS,
    threads: {
      kind: "count",
      default: 65536,
      min: 1,
      max: 65536,
      about: "device threads: thread t has the elements t, t + threads, …; the tutorial begins with 1",
    },
    init: INIT,
    read: READ,
  },
  plan({ size, grain, iterations, threads, init, read }) {
    const ranges = arrays(["x", "y"], size, grain);
    const nests = gridStride(stream(ranges, [0, 1], 1, grain), grain, threads);
    return {
      ranges,
      *kernels() {
        yield* initialise(init, ranges, [0, 1], grain);
        for (let i = 0; i < iterations; i++) yield nestKernel("add", nests);
        yield* readBack(read, ranges, 1, grain);
      },
    };
  },
});

/** STREAM's four kernels over a, b and c: what each reads and writes. */
const KERNELS = {
  copy: [[0], 2],
  scale: [[2], 1],
  add: [[0, 1], 2],
  triad: [[1, 2], 0],
} as const;

export const stream4 = workload({
  about: "STREAM: copy c=a, scale b=s*c, add c=a+b, triad a=b+s*c",
  parameters: {
    size: SIZE,
    grain: GRAIN,
    iterations: ITERATIONS,
    kernel: {
      kind: "choice",
      default: "all",
      choices: ["all", "copy", "scale", "add", "triad"],
      about: "one of the kernels, or all four in turn",
    },
    init: INIT,
    read: READ,
  },
  plan({ size, grain, iterations, kernel, init, read }) {
    const ranges = arrays(["a", "b", "c"], size, grain);
    const wanted = Object.entries(KERNELS).filter(([name]) => kernel === "all" || kernel === name);
    return {
      ranges,
      *kernels(): Generator<Kernel> {
        yield* initialise(init, ranges, [0, 1, 2], grain);
        for (let i = 0; i < iterations; i++)
          for (const [name, [sources, target]] of wanted)
            yield nestKernel(name, [stream(ranges, [...sources], target, grain)]);
        yield* readBack(read, ranges, wanted[wanted.length - 1][1][1], grain);
      },
    };
  },
});
