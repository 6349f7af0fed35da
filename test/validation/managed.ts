/** Runs over managed memory in the driver's model alone, with a time model. */
import { Machine } from "../../src/sim/driver/machine.ts";
import { densityPrefetcher, noPrefetcher } from "../../src/sim/policies/density.ts";
import { markOf, WORDS } from "../../src/sim/record-words.ts";
import { ModelClock } from "../../src/sim/time/model-clock.ts";
import { Timeline } from "../../src/sim/time/timeline.ts";
import { timingOf, type TimingReport } from "../../src/sim/time/timing.ts";
import { NO_LISTENER } from "../unit/sim/time/models.ts";
import { openWorkload, writeRecord, type TimeModel } from "../../src/sim.ts";

/** What a run gave. Times are in picoseconds. */
export interface ManagedFigures {
  cpuFaults: number;
  groups: number;
  /** Time of all groups, and of all kernels. */
  groupTime: number;
  kernelTime: number;
  toDevice: { count: number; bytes: number; time: number };
  toHost: { count: number; bytes: number; time: number };
  timing: TimingReport;
}

/** A kernel's begin or end. */
const FIRST_MARK = 16;

/** Runs a workload by one thread of the device, with some chunks of 2 MiB of device memory. */
export function runManaged(spec: string, chunks: number, model: TimeModel): ManagedFigures {
  const timeline = new Timeline(model);
  let [groupTime, kernelTime, group, kernel, name] = [0, 0, 0, 0, ""];
  timeline.listener = {
    ...NO_LISTENER,
    groupBegin: (at) => (group = at),
    groupEnd: (at) => (groupTime += at - group),
    kernelBegin: (at, begun) => ([kernel, name] = [at, begun]),
    kernelEnd: (at) => (kernelTime += name === "initialize" || name === "read back" ? 0 : at - kernel),
  };
  const clock = new ModelClock(timeline);
  const prefetcher = densityPrefetcher(51);
  const machine = new Machine({
    chunks,
    prefetcher,
    thrashing: true,
    counters: null,
    oneThread: true,
    clock,
  });
  machine.observe(timeline);
  const workload = openWorkload(spec);
  for (const block of workload.blocks()) {
    const words = new Uint32Array(block.buffer, block.byteOffset, 2 * block.length);
    for (let i = 0; i < words.length / WORDS; i++) {
      machine.step(words, i);
      if ((words[WORDS * i + 2] & 0xff) >= FIRST_MARK) timeline.mark(markOf(words, i), workload);
    }
  }
  machine.drain();
  timeline.finish();
  const { counts, transfers } = machine;
  const timing = timingOf(model, timeline.causes, timeline.tail);
  return {
    cpuFaults: counts.cpuFaults,
    groups: counts.groups,
    groupTime,
    kernelTime,
    toDevice: { ...transfers.total("toDevice"), time: timing.busy.toDevice },
    toHost: { ...transfers.total("toHost"), time: timing.busy.toHost },
    timing,
  };
}

const PAGE = 4096;
const BLOCK = 2 << 20;
const START = 0x20000000;

/** The entries of the batches of a warp that adds two vectors, a page a thread: b, then a, then c. */
export function titanBatches(): number[] {
  const batches: number[] = [];
  const timeline = new Timeline(null);
  timeline.listener = { ...NO_LISTENER, groupBegin: (_at, { entries }) => batches.push(entries) };
  const machine = new Machine({ chunks: 64, prefetcher: noPrefetcher, thrashing: true, counters: null });
  machine.observe(timeline);
  const records = new BigUint64Array(2 * (1024 + 96));
  let n = 0;
  // The CPU writes a and b first.
  for (let i = 0; i < 1024; i++)
    writeRecord(records, n++, { kind: "store", address: START + i * PAGE, size: 4 });
  for (const [array, kind] of [
    [1, "load"],
    [0, "load"],
    [2, "store"],
  ] as const)
    for (let thread = 0; thread < 32; thread++) {
      const address = START + array * BLOCK + thread * PAGE;
      writeRecord(records, n++, { kind, address, size: 4, agent: 1, thread });
    }
  machine.run(new Uint32Array(records.buffer), n);
  machine.drain();
  return batches;
}
