/**
 * P5: forks a process with a populated mapping, then writes every page in the child. The writes are
 * mm.populate (MADV_POPULATE_WRITE), as in P4: each page takes a write fault that copies it.
 */
import type { Hmm, Mm } from "../../src/index.ts";
import { MIB, PAGE, PRIVATE, createEngine } from "../engine.ts";
import { HASH_SEED, hashWord, median } from "../harness.ts";
import type { Context, Result, Row, Sample, Side } from "../harness.ts";
import { fasterTwin, floor, floorNote, host, vectors } from "../native.ts";

class Fork implements Side {
  readonly #mm: Mm;
  readonly #bytes: number;
  readonly #start: number;
  /** Nanoseconds of fork and of the writes, one number for each repetition. */
  readonly forks: number[] = [];
  readonly writes: number[] = [];

  constructor(hmm: Hmm, bytes: number) {
    this.#mm = hmm.createMm();
    this.#bytes = bytes;
    this.#start = this.#mm.mmap({ length: bytes, ...PRIVATE });
    this.#mm.populate(this.#start, bytes);
    for (let i = 0; i < bytes / PAGE; i++) this.#mm.store32(this.#start + i * PAGE, i);
  }

  /** Forks twice, because the frames of a child rise with its addresses, and those of the next one fall. */
  run(): Sample {
    const first = this.#once(HASH_SEED);
    const second = this.#once(first.hash);
    return { ns: (first.ns + second.ns) / 2, hash: second.hash };
  }

  #once(seed: number): Sample {
    const t0 = performance.now();
    const child = this.#mm.fork();
    const t1 = performance.now();
    child.populate(this.#start, this.#bytes);
    const t2 = performance.now();
    this.forks.push((t1 - t0) * 1e6);
    this.writes.push((t2 - t1) * 1e6);
    const hash = this.#check(child, seed);
    child.close();
    // The pages belong to the parent alone again. Its faults restore the write bits outside the measured
    // time.
    this.#mm.populate(this.#start, this.#bytes);
    return { ns: (t2 - t0) * 1e6, hash };
  }

  /** Hashes what check() of native/fork.c hashes. */
  #check(child: Mm, seed: number): number {
    let hash = seed;
    for (let i = 0; i < this.#bytes / PAGE; i++) {
      const page = this.#start + i * PAGE;
      const { flags, pfn } = child.lookupPte(page)!;
      hash = hashWord(hashWord(hash, pfn | (flags & 0xc0000000)), child.load32(page));
    }
    return hashWord(hash, child.rss.anon);
  }
}

async function measure(bytes: number, context: Context): Promise<Result[]> {
  const hmm = await createEngine({ systemMemory: 2 * bytes });
  const ours = new Fork(hmm, bytes);
  const pages = bytes / PAGE;
  const results = await context.compare({
    ours,
    units: pages,
    rivals: [
      fasterTwin("twin", "fork", [bytes, 0], 1.25),
      vectors("non-temporal", "fork", [bytes, 1], 1.5),
      host("host", ["fork", bytes], 0.4),
    ],
  });
  const [fork, write] = [ours.forks, ours.writes].map((ns) => (median(ns) / pages).toFixed(1));
  context.note(`stages, ns a page: fork ${fork} · write in the child ${write}`);
  hmm.verify();
  hmm.close();
  return results;
}

const row: Row = {
  title: "fork of 256 MiB, then every page written in the child",
  unit: "page",
  async run(context) {
    const bytes = context.smoke ? 4 * MIB : 256 * MIB;
    const results = await measure(bytes, context);
    const ns = await floor("copy", bytes, 1);
    context.note(floorNote("memcpy of all pages in one go", ns === null ? null : ns / (bytes / PAGE)));
    return results;
  },
};
export default row;
