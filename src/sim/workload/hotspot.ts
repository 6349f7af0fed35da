/**
 * Rodinia's hotspot as UVM-Smart's logs have it: a thermal simulation whose kernels sweep over three arrays.
 */
import type { NestAccess } from "./nest.ts";
import {
  GRAIN,
  INIT,
  initialise,
  nestKernel,
  READ,
  readBack,
  workload,
  type Kernel,
  type WorkloadRange,
} from "./workload.ts";

/** Where the logs have the arrays, 4 MiB apart: the temperatures, the next temperatures, and the power. */
const FIRST_ADDRESS = 0xc0000000;
const APART = 0x400000;
const MIB = 2 ** 20;

/** An access to each grain of an array. */
function sweep(
  ranges: readonly WorkloadRange[],
  range: number,
  kind: "load" | "store",
  grain: number,
): NestAccess {
  return { kind, range, base: ranges[range].start, size: grain, strides: [grain] };
}

export const hotspot = workload({
  about: "dst[i] from src[i] and power[i], then src and dst change places, as Rodinia's hotspot",
  parameters: {
    size: {
      kind: "bytes",
      default: 12 * MIB,
      min: 3 * 4096,
      max: 12 * MIB,
      about: "bytes of all three arrays",
    },
    grain: { ...GRAIN, default: 4096 },
    iterations: { kind: "count", default: 4, min: 1, about: "kernels" },
    init: INIT,
    read: READ,
  },
  plan({ size, grain, iterations, init, read }) {
    const bytes = Math.max(Math.floor(size / 3 / grain), 1) * grain;
    const ranges = ["temp", "next", "power"].map((name, i) => ({
      name,
      start: FIRST_ADDRESS + i * APART,
      bytes,
    }));
    return {
      ranges,
      *kernels(): Generator<Kernel> {
        yield* initialise(init, ranges, [0, 2], grain);
        for (let i = 0; i < iterations; i++) {
          const [src, dst] = i % 2 === 0 ? [0, 1] : [1, 0];
          const accesses = [
            sweep(ranges, src, "load", grain),
            sweep(ranges, 2, "load", grain),
            sweep(ranges, dst, "store", grain),
          ];
          yield nestKernel("hotspot", [
            { agent: "device", trips: [Math.floor(bytes / grain)], threads: [1], accesses },
          ]);
        }
        yield* readBack(read, ranges, iterations % 2 === 0 ? 0 : 1, grain);
      },
    };
  },
});
