/**
 * S2: exact demand paging at 4 KiB with LRU, on a stream of which 2.5 % miss: accesses to a hot set that
 * stays, and to cold pages that do not. The rivals know nothing of page tables: a hash map and an intrusive
 * list in C (native/demand-paging.c), and a JavaScript Map in the order of use.
 */
import { Random } from "../../src/engine/random.ts";
import { Simulation } from "../../src/sim.ts";
import { PAGE } from "../engine.ts";
import { HASH_SEED, hashWords, type Row, type Sample, type Side } from "../harness.ts";
import { fasterTwin, withFolder } from "../native.ts";

const FRAMES = 16384;
const HOT = 8192;
const COLD = 1 << 18;
const ACCESSES = 10_000_000;
/** Of a thousand accesses, those to cold pages: nearly all of them miss. */
const COLD_OF_1000 = 27;
const BASE = 0x10_0000_0000;

/** Loads and stores of 8 bytes by the device, two words each. */
function makeRecords(accesses: number): BigUint64Array {
  const random = new Random(1);
  const records = new BigUint64Array(2 * accesses);
  for (let i = 0; i < accesses; i++) {
    const cold = random.below(1000) < COLD_OF_1000;
    const page = cold ? HOT + random.below(COLD) : random.below(HOT);
    records[2 * i] = BigInt(BASE + page * PAGE) | (8n << 48n);
    records[2 * i + 1] = (random.below(4) === 0 ? 1n : 0n) | (1n << 8n);
  }
  return records;
}

const hashOf = (pagesIn: number, dirty: number): number =>
  hashWords(HASH_SEED, Uint32Array.of(pagesIn, dirty));

const CONFIG = {
  backing: "metadata",
  cluster: PAGE,
  prefetch: "none",
  evict: "lru",
  initial: "none",
  systemMemory: 2 * (HOT + COLD) * PAGE,
  deviceMemory: FRAMES * PAGE,
} as const;

class Ours implements Side {
  readonly #records: BigUint64Array;

  constructor(records: BigUint64Array) {
    this.#records = records;
  }

  async run(): Promise<Sample> {
    const simulation = await Simulation.create(CONFIG);
    const start = performance.now();
    simulation.feed(this.#records);
    const ns = (performance.now() - start) * 1e6;
    const { device } = simulation.report();
    simulation.close();
    return { ns, hash: hashOf(device.bytesIn / PAGE, device.bytesOutDirty / PAGE) };
  }
}

/** A Map from page to whether it was written, the page that was used longest ago first. */
class MapSide implements Side {
  readonly #words: Uint32Array;

  constructor(records: BigUint64Array) {
    this.#words = new Uint32Array(records.buffer);
  }

  run(): Sample {
    const words = this.#words;
    const start = performance.now();
    const pages = new Map<number, boolean>();
    let pagesIn = 0;
    let dirty = 0;
    for (let i = 0; i < words.length; i += 4) {
      const page = Math.floor(((words[i + 1] & 0xffff) * 2 ** 32 + words[i]) / PAGE);
      const store = (words[i + 2] & 1) !== 0;
      const was = pages.get(page);
      if (was !== undefined) pages.delete(page);
      else {
        pagesIn++;
        if (pages.size === FRAMES) {
          const [oldest, written] = pages.entries().next().value!;
          pages.delete(oldest);
          if (written) dirty++;
        }
      }
      pages.set(page, was === true || store);
    }
    return { ns: (performance.now() - start) * 1e6, hash: hashOf(pagesIn, dirty) };
  }
}

const row: Row = {
  title: "exact demand paging at 4 KiB, LRU, 2.5 % misses",
  unit: "access",
  async run(context) {
    const records = makeRecords(context.smoke ? 50_000 : ACCESSES);
    return withFolder((file) =>
      context.compare({
        ours: new Ours(records),
        units: records.length / 2,
        rivals: [
          fasterTwin("C-LRU", "demand-paging", [file("records", new Uint32Array(records.buffer)), FRAMES], 6),
          { name: "JavaScript-Map", target: 1, sides: [new MapSide(records)] },
        ],
      }),
    );
  },
};
export default row;
