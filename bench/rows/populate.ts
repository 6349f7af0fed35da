/**
 * P4: demand-zero write faults. mm.populate (MADV_POPULATE_WRITE) takes a write fault for each page of the
 * range inside the core. A store to each page would do the same work, but with a call from TypeScript for
 * each page.
 */
import { Memcg } from "../../src/index.ts";
import type { Hmm, Mm } from "../../src/index.ts";
import { MIB, PAGE, PRIVATE, createEngine } from "../engine.ts";
import { HASH_SEED, hashWord, median } from "../harness.ts";
import type { Context, Result, Row, Sample, Side } from "../harness.ts";
import { fasterTwin, floor, floorNote, host, vectors } from "../native.ts";

/** Faults in a new mapping, checks its pages, and unmaps it. */
class Faults implements Side {
  readonly #mm: Mm;
  readonly #memcg = new Memcg();
  readonly #bytes: number;
  readonly #data: boolean;

  constructor(hmm: Hmm, bytes: number, data: boolean) {
    this.#mm = hmm.createMm({ memcg: this.#memcg });
    this.#bytes = bytes;
    this.#data = data;
  }

  /** Populates twice, because frames rise with addresses in one mapping, and fall in the next one. */
  run(): Sample {
    const first = this.#once(HASH_SEED);
    const second = this.#once(first.hash);
    return { ns: (first.ns + second.ns) / 2, hash: second.hash };
  }

  #once(seed: number): Sample {
    const mm = this.#mm;
    const start = mm.mmap({ length: this.#bytes, ...PRIVATE });
    const clock = performance.now();
    mm.populate(start, this.#bytes);
    const ns = (performance.now() - clock) * 1e6;
    const hash = this.#check(start, seed);
    mm.munmap(start, this.#bytes);
    return { ns, hash };
  }

  /**
   * Hashes what check() of native/populate.c hashes: frame, flags and words of each page, rss, memcg usage.
   */
  #check(start: number, seed: number): number {
    const mm = this.#mm;
    let hash = seed;
    for (let i = 0; i < this.#bytes / PAGE; i++) {
      const page = start + i * PAGE;
      const { flags, pfn } = mm.lookupPte(page)!;
      hash = hashWord(hash, pfn | (flags & 0xc0000000));
      if (!this.#data) continue;
      hash = hashWord(hash, mm.load32(page) | mm.load32(page + PAGE - 4));
      mm.store32(page, i);
      mm.store32(page + PAGE - 4, i);
    }
    return hashWord(hashWord(hash, mm.rss.anon), this.#memcg.usage);
  }
}

const engineOf = (bytes: number, backing: "data" | "metadata"): Promise<Hmm> =>
  createEngine({ systemMemory: bytes, backing });

/** Returns the median of `repeats` runs of `work`, in nanoseconds a page. */
function stage(pages: number, repeats: number, work: () => number): number {
  return median(Array.from({ length: repeats }, work)) / pages;
}

/**
 * Prints where the time goes. One call does all of the work, so each stage is the difference of two calls:
 * populating a range that is already populated is the walk alone, and frames of the metadata mode need no
 * zeroing.
 */
async function stages(bytes: number, whole: number, context: Context): Promise<void> {
  const pages = bytes / PAGE;
  const repeats = context.smoke ? 1 : 9;
  const hmm = await engineOf(bytes, "metadata");
  const faults = new Faults(hmm, bytes, false);
  for (let i = 0; i < repeats; i++) faults.run();
  const bare = stage(pages, repeats, () => faults.run().ns);
  const mm = hmm.createMm();
  const start = mm.mmap({ length: bytes, ...PRIVATE });
  mm.populate(start, bytes);
  const walk = stage(pages, repeats, () => {
    const clock = performance.now();
    mm.populate(start, bytes);
    return (performance.now() - clock) * 1e6;
  });
  mm.close();
  hmm.close();
  const figures = { walk, zero: whole - bare, "allocate and insert": bare - walk };
  const text = Object.entries(figures).map(([name, ns]) => `${name} ${ns.toFixed(1)}`);
  context.note(`stages, ns a page: ${text.join(" · ")}`);
}

/** Measures one size. P10 uses it too. */
export async function measure(bytes: number, context: Context): Promise<Result[]> {
  const hmm = await engineOf(bytes, "data");
  const results = await context.compare({
    ours: new Faults(hmm, bytes, true),
    units: bytes / PAGE,
    rivals: [
      fasterTwin("twin", "populate", [bytes, bytes / PAGE, 0], 1.15),
      vectors("non-temporal", "populate", [bytes, bytes / PAGE, 1], 1.5),
      host("host", ["populate", bytes], 0.25),
      host("host-huge-pages", ["populate-huge", bytes], 1.5),
    ],
  });
  hmm.verify();
  hmm.close();
  return results;
}

const row: Row = {
  title: "demand-zero write faults over 256 MiB",
  unit: "page",
  async run(context) {
    const bytes = context.smoke ? 4 * MIB : 256 * MIB;
    const results = await measure(bytes, context);
    await stages(bytes, results[0].ours, context);
    const ns = await floor("fill", bytes, 1);
    context.note(floorNote("one memset of all pages", ns === null ? null : ns / (bytes / PAGE)));
    return results;
  },
};
export default row;
