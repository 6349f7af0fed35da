/** Programs on the oversubscribed GTX 1080 Ti whose traces follow from their code, simulated. */
import { around, ERRORS, MIB, MODEL, nameOf, PS_PER_US } from "./common.ts";
import { GTX_1080_TI, type Oversubscribed } from "./figures.ts";
import { runManaged, type ManagedFigures } from "./managed.ts";
import type { Row, Status } from "./table.ts";

type Count = "MiB in" | "MiB out" | "transfers in" | "transfers out" | "groups" | "CPU faults";

interface Trace {
  /** The workload that generates the accesses. */
  spec: string;
  /** Counts at 100 % that are no predictions. */
  sure: Partial<Record<Count, Status>>;
}

/** Programs whose accesses are generated. */
export const TRACES: Partial<Record<Oversubscribed["program"], Trace>> = {
  hotspot: {
    spec: "hotspot",
    sure: { "MiB in": "exact", "MiB out": "exact", "transfers out": "exact", "CPU faults": "exact" },
  },
  fdtd: {
    spec: "fdtd2d:size=18MiB,iterations=5",
    // The size and the number of steps are chosen by these.
    sure: { "CPU faults": "fitted", "MiB in": "fitted" },
  },
};

const CONCURRENT = "the device runs warps concurrently, the model one thread";
const UNTIMED = "what the kernels compute has no time in the model; more groups, or fewer, than real ones";

/** Chunks of 2 MiB that a program has: what is left, less one that the driver keeps. */
const chunksOf = ({ left }: Oversubscribed): number => Math.floor(left / 2) - 1;

/** Simulates a program with the memory that the device had: rows, and the run at 100 %. */
export function simulated(program: Oversubscribed["program"]): { rows: Row[]; base: ManagedFigures } {
  const { spec, sure } = TRACES[program]!;
  const done = new Map<number, ManagedFigures>();
  const run = (one: Oversubscribed): ManagedFigures => {
    const chunks = chunksOf(one);
    if (!done.has(chunks)) done.set(chunks, runManaged(spec, chunks, MODEL));
    return done.get(chunks)!;
  };
  const all = GTX_1080_TI.filter((one) => one.program === program);
  return {
    rows: all.flatMap((one) => rowsOf(one, run(one), one.percent === 100 ? sure : {})),
    base: run(all[0]),
  };
}

function rowsOf(one: Oversubscribed, run: ManagedFigures, sure: Trace["sure"]): Row[] {
  const row = (what: string, published: number, ours: number, more: Partial<Row>): Row => ({
    what: `${nameOf(one)}: ${what}`,
    published,
    ours,
    status: "predicted",
    ...more,
  });
  const count = (what: string, name: Count, published: number, ours: number, digits = 0): Row => {
    const same = published.toFixed(digits) === ours.toFixed(digits);
    return row(what, published, same ? published : ours, {
      digits,
      ...(name in sure ? { status: sure[name] } : {}),
      ...(same ? {} : { note: CONCURRENT }),
    });
  };
  const [{ toDevice: h2d, toHost: d2h }, each] = [run, run.groupTime / run.groups / PS_PER_US];
  return [
    count("MiB to the device", "MiB in", one.toDevice[1], h2d.bytes / MIB, 1),
    count("MiB to the host", "MiB out", one.toHost[1], d2h.bytes / MIB, 1),
    count("transfers to the device", "transfers in", one.toDevice[0], h2d.count),
    count("transfers to the host", "transfers out", one.toHost[0], d2h.count),
    count("fault groups", "groups", one.groups, run.groups),
    count("CPU faults", "CPU faults", one.cpuFaults, run.cpuFaults),
    row("µs a group", one.usPerGroup, each, { interval: around(each, ERRORS.group), note: CONCURRENT }),
    row("kernels, ms", one.kernelsMs, run.kernelTime / 1e9, {
      digits: 1,
      interval: around(run.kernelTime / 1e9, ERRORS.group),
      note: UNTIMED,
    }),
  ];
}
