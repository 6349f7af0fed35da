/**
 * P7: replays decoded accesses of a CPU and a device that share an address space, with device memory for half
 * of the working set. This is the simulation of `heteromem run` under the policy "migrate". The rivals are
 * the same simulation in C and in JavaScript on typed arrays (replay-twin.ts).
 */
import type { Hmm } from "../../src/index.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { createEngine, PAGE } from "../engine.ts";
import { HASH_SEED, hashWords } from "../harness.ts";
import type { Context, Result, Row, Sample, Side } from "../harness.ts";
import { fasterTwin, withFolder } from "../native.ts";
import { TypedArrayTwin } from "../replay-twin.ts";
import { noteStages } from "../replay-stages.ts";
import { traces } from "../traces.ts";
import type { Trace } from "../traces.ts";

const ACCESSES = 10_000_000;

function configOf(trace: Trace) {
  return { backing: "data", systemMemory: trace.bytes, deviceMemory: trace.bytes / 2 } as const;
}

const clock = (work: () => void): number => {
  const start = performance.now();
  work();
  return (performance.now() - start) * 1e6;
};

/** Runs a new simulation each time in one engine, whose memory earlier repetitions have touched. */
class Replay implements Side {
  readonly #hmm: Hmm;
  readonly #trace: Trace;

  constructor(hmm: Hmm, trace: Trace) {
    this.#hmm = hmm;
    this.#trace = trace;
  }

  run(): Sample {
    const simulation = Simulation.over(this.#hmm, configOf(this.#trace));
    const ns = clock(() => simulation.feed(this.#trace.records));
    const hash = this.#hash(simulation);
    simulation.close();
    return { ns, hash };
  }

  /** Hashes the words that native/replay.c hashes, in the same order. */
  #hash(simulation: Simulation): number {
    const { accesses, faultsByKind, device, evictions, space, rss, residency } = simulation.report();
    const { cpu, device: migrated } = faultsByKind;
    const moved = [device.bytesIn, device.bytesCopied, device.bytesInAgain, device.bytesOut];
    const pages = [...moved, device.bytesOutDirty, device.bytesOutEvicted, device.bytesPeak].map(
      (bytes) => bytes / PAGE,
    );
    const counts = [
      [accesses.cpu.loads, accesses.cpu.stores, accesses.device.loads, accesses.device.stores],
      [cpu.zero, cpu.anon, cpu.cow, cpu.device, migrated.migrate],
      [...pages, evictions, space.growths, rss / PAGE, residency.device / PAGE],
    ];
    return hashWords(HASH_SEED, Uint32Array.from(counts.flat()));
  }
}

class TwinReplay implements Side {
  readonly #twin: TypedArrayTwin;
  readonly #trace: Trace;

  constructor(trace: Trace) {
    this.#trace = trace;
    this.#twin = new TypedArrayTwin(trace.bytes, trace.bytes / 2);
  }

  run(): Sample {
    const twin = this.#twin;
    twin.reset();
    const ns = clock(() => twin.replay(this.#trace.records));
    const [loads, stores, modifies, , deviceLoads, deviceStores, deviceModifies] = twin.accesses;
    const { faults, pages } = twin;
    const counts = [
      [loads + modifies, stores + modifies, deviceLoads + deviceModifies, deviceStores + deviceModifies],
      [faults.zero, faults.anon, faults.cow, faults.device, faults.migrate],
      [pages.in, pages.copied, pages.inAgain, pages.out, pages.outDirty, pages.outEvicted, pages.peak],
      [twin.evictions, twin.growths, twin.rss, twin.devicePages],
    ];
    return { ns, hash: hashWords(HASH_SEED, Uint32Array.from(counts.flat())) };
  }
}

async function measure(trace: Trace, context: Context): Promise<Result[]> {
  const { records, start, bytes, name } = trace;
  const hmm = await createEngine({ systemMemory: bytes, deviceMemory: Math.max(bytes / 2, 1 << 21) });
  const results = await withFolder((file) => {
    const twin = [file("records", new Uint32Array(records.buffer)), start, bytes, bytes / 2];
    return context.compare({
      ours: new Replay(hmm, trace),
      units: records.length / 2,
      rivals: [
        fasterTwin(`twin-${name}`, "replay", twin, 1.25),
        { name: `typed-arrays-${name}`, target: 0.65, sides: [new TwinReplay(trace)] },
      ],
    });
  });
  noteStages(name, hmm, configOf(trace), records, context);
  hmm.verify();
  hmm.close();
  return results;
}

const row: Row = {
  title: "replay of 10 M accesses, device memory for half of the working set, LRU",
  unit: "access",
  async run(context) {
    const results: Result[] = [];
    const accesses = context.smoke ? 400_000 : ACCESSES;
    for (const trace of traces(accesses, context.smoke)) results.push(...(await measure(trace, context)));
    return results;
  },
};
export default row;
