/**
 * P7: replays decoded accesses of a CPU and a device that share an address space, with device memory for half
 * of the working set. This is the simulation of `heteromem run` under the policy "migrate". The rivals are
 * the same simulation in C and in JavaScript on typed arrays (replay-twin.ts). Without page contents the
 * rivals have no page tables either: a hash map and a list, in C (native/replay-map.c) and in JavaScript
 * (replay-map.ts). The last comparisons have device memory for an eighth and a thirty-second.
 */
import type { Hmm } from "../../src/index.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { createEngine, PAGE } from "../engine.ts";
import { HASH_SEED, hashWord, hashWords } from "../harness.ts";
import type { Context, Result, Rival, Row, Sample, Side } from "../harness.ts";
import { fasterTwin, withFolder } from "../native.ts";
import { MapTwin } from "../replay-map.ts";
import { TypedArrayTwin } from "../replay-twin.ts";
import { noteStages } from "../replay-stages.ts";
import { pressedTraces, traces } from "../traces.ts";
import type { Trace } from "../traces.ts";

const ACCESSES = 10_000_000;

type Backing = "data" | "metadata";

/** @param share the part of the working set that the device has memory for: 2 is half of it */
function configOf(trace: Trace, share: number, backing: Backing = "data") {
  return { backing, systemMemory: trace.bytes, deviceMemory: trace.bytes / share } as const;
}

/** Continues a hash with where each page is: 0 nowhere, 1 the zero page, 2 RAM, 3 the device. */
function hashPlaces(hash: number, { start, bytes }: Trace, placeOf: (address: number) => number): number {
  let all = hash;
  for (let at = start; at < start + bytes; at += PAGE) all = hashWord(all, placeOf(at));
  return all;
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
  readonly #config: ReturnType<typeof configOf>;

  constructor(hmm: Hmm, trace: Trace, config: ReturnType<typeof configOf>) {
    this.#hmm = hmm;
    this.#trace = trace;
    this.#config = config;
  }

  run(): Sample {
    const simulation = Simulation.over(this.#hmm, this.#config);
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
    const mm = this.#hmm.mms().at(-1)!;
    return hashPlaces(hashWords(HASH_SEED, Uint32Array.from(counts.flat())), this.#trace, (address) => {
      const pte = mm.lookupPte(address);
      if (pte === null || pte.pfn === this.#hmm.zeroPage) return pte === null ? 0 : 1;
      return this.#hmm.isDevicePage(pte.pfn) ? 3 : 2;
    });
  }
}

class TwinReplay implements Side {
  readonly #twin: TypedArrayTwin;
  readonly #trace: Trace;

  constructor(trace: Trace, share: number) {
    this.#trace = trace;
    this.#twin = new TypedArrayTwin(trace.bytes, trace.bytes / share);
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
    const hash = hashWords(HASH_SEED, Uint32Array.from(counts.flat()));
    return { ns, hash: hashPlaces(hash, this.#trace, (address) => twin.placeOf(address)) };
  }
}

class MapReplay implements Side {
  readonly #twin: MapTwin;
  readonly #trace: Trace;

  constructor(trace: Trace, share: number) {
    this.#trace = trace;
    this.#twin = new MapTwin(trace.bytes, trace.bytes / share);
  }

  run(): Sample {
    const twin = this.#twin;
    twin.reset();
    const ns = clock(() => twin.replay(this.#trace.records));
    const [loads, stores, modifies, , deviceLoads, deviceStores, deviceModifies] = twin.accesses;
    const counts = [loads + modifies, stores + modifies, deviceLoads + deviceModifies];
    counts.push(deviceStores + deviceModifies, ...Object.values(twin.counts));
    const hash = hashWords(HASH_SEED, Uint32Array.from(counts));
    return { ns, hash: hashPlaces(hash, this.#trace, (address) => twin.placeOf(address)) };
  }
}

/** One comparison: a trace, the device's share of its pages, and what the rivals are made of. */
interface Compared {
  readonly trace: Trace;
  readonly share: number;
  readonly backing: Backing;
  readonly name: string;
  rivals(native: readonly (string | number)[]): Rival[];
}

async function measure(compared: Compared, context: Context): Promise<Result[]> {
  const { trace, share, backing, name } = compared;
  const { records, start, bytes } = trace;
  const config = configOf(trace, share, backing);
  const hmm = await createEngine({
    backing,
    systemMemory: bytes,
    deviceMemory: Math.max(bytes / share, 1 << 21),
  });
  const results = await withFolder((file) => {
    const native = [file("records", new Uint32Array(records.buffer)), start, bytes, bytes / share];
    const ours = new Replay(hmm, trace, config);
    return context.compare({ ours, units: records.length / 2, rivals: compared.rivals(native) });
  });
  if (backing === "data") noteStages(name, hmm, config, records, context);
  hmm.verify();
  hmm.close();
  return results;
}

/** Rivals with page tables and page contents. */
const withTables = (trace: Trace): Compared => ({
  trace,
  share: 2,
  backing: "data",
  name: trace.name,
  rivals: (native) => [
    fasterTwin(`twin-${trace.name}`, "replay", native, 1.25),
    { name: `typed-arrays-${trace.name}`, target: 0.65, sides: [new TwinReplay(trace, 2)] },
  ],
});

/** Rivals without page tables, and all sides without page contents. */
const withoutTables = (trace: Trace): Compared => ({
  trace,
  share: 2,
  backing: "metadata",
  name: `${trace.name}-metadata`,
  rivals: (native) => [
    fasterTwin(`C-map-${trace.name}`, "replay-map", native, 2),
    { name: `JavaScript-map-${trace.name}`, target: 1, sides: [new MapReplay(trace, 2)] },
  ],
});

/** Little device memory: an eighth or a thirty-second of the working set. */
function pressed(trace: Trace, share: number): Compared[] {
  const name = `${trace.name}-${share}`;
  const twin: Compared["rivals"] = (native) => [fasterTwin(`twin-${name}`, "replay", native, 1.5)];
  const map: Compared["rivals"] = (native) => [fasterTwin(`C-map-${name}`, "replay-map", native, 6)];
  return [
    { trace, share, backing: "data", name, rivals: twin },
    { trace, share, backing: "metadata", name: `${name}-metadata`, rivals: map },
  ];
}

const row: Row = {
  title: "replay of 10 M accesses, device memory for half of the working set or less, LRU",
  unit: "access",
  async run(context) {
    const whole = traces(context.smoke ? 200_000 : ACCESSES, context.smoke);
    const little = pressedTraces(context.smoke).flatMap((trace) => [8, 32].flatMap((s) => pressed(trace, s)));
    const results: Result[] = [];
    for (const compared of [...whole.map(withTables), ...whole.map(withoutTables), ...little])
      results.push(...(await measure(compared, context)));
    return results;
  },
};
export default row;
