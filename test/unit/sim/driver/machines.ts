/** Machines over managed memory as tests describe them, and what they count. */
import { Machine } from "../../../../src/sim/driver/machine.ts";
import type { MachineOptions } from "../../../../src/sim/driver/machine-options.ts";
import type { ChunkRoom } from "../../../../src/sim/driver/room.ts";
import type { VaBlock } from "../../../../src/sim/driver/va-block.ts";
import type { LrmChunks } from "../../../../src/sim/policies/lrm.ts";
import { densityPrefetcher } from "../../../../src/sim/policies/density.ts";
import { writeRecord, type Access } from "../../../../src/sim.ts";

/** Bytes of a page and of a block. */
export const PAGE = 4096;
export const BLOCK = 2 << 20;

/** A machine as the real driver's defaults make it; memory is large enough for 64 blocks. */
export function machine(options: Partial<MachineOptions> = {}): Machine {
  return new Machine({
    chunks: 64,
    prefetcher: densityPrefetcher(51),
    thrashing: true,
    counters: null,
    ...options,
  });
}

/** Has a machine make accesses of 4 bytes (by default loads of the CPU), and the device finish its own. */
export function access(on: Machine, accesses: readonly Partial<Access>[]): void {
  const records = new BigUint64Array(2 * accesses.length);
  accesses.forEach((one, i) => writeRecord(records, i, { kind: "load", size: 4, ...one }));
  on.run(new Uint32Array(records.buffer), accesses.length);
  on.drain();
}

/** One access to each of some pages from an address on, ascending. */
export function sweep(from: number, pages: number, how: Partial<Access>): Partial<Access>[] {
  return Array.from({ length: pages }, (_, i) => ({ ...how, address: from + i * PAGE }));
}

/** Loads and stores of the device. */
export const LOAD = { kind: "load", agent: 1 } as const;
export const STORE = { kind: "store", agent: 1 } as const;
/** … and of the CPU. */
export const READ = { kind: "load", agent: 0 } as const;
export const WRITE = { kind: "store", agent: 0 } as const;
/** A mark between kernels. */
export const END = { kind: "kernelEnd", size: 0 } as const;

/** The counts that nvprof prints of a real device. */
export function profile({ counts, transfers }: Machine) {
  return {
    toDevice: transfers.total("toDevice"),
    toHost: transfers.total("toHost"),
    groups: counts.groups,
    cpuFaults: counts.cpuFaults,
  };
}

/** The chunks of the device's memory. */
export function chunksOf({ memory }: Machine): LrmChunks<VaBlock> {
  return (memory.roomOf(1) as ChunkRoom).chunks;
}
