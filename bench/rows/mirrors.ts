/**
 * P8: munmap of 64 MiB with 16 mirrors, compared with one mirror. In the first comparison the mirrored ranges
 * lie elsewhere. In the second one each mirror has a table with all pages, and drops them. The third one
 * compares one mirror with another one, which tells how far the row can be trusted.
 */
import { DeviceTable, MmuIntervalNotifier } from "../../src/index.ts";
import type { Hmm, Mm, PfnArray } from "../../src/index.ts";
import { MIB, PAGE, PRIVATE, createEngine } from "../engine.ts";
import { HASH_SEED, hashWord } from "../harness.ts";
import type { Context, Result, Row, Sample, Side } from "../harness.ts";

const MIRRORS = 16;

/** A mapping that each repetition populates, and its mirrors. */
class Mirrors implements Side {
  readonly #mm: Mm;
  readonly #bytes: number;
  readonly #start: number;
  readonly #pfns: PfnArray;
  readonly #tables: DeviceTable[];
  #heard = 0;

  constructor(hmm: Hmm, bytes: number, mirrors: number, overlapping: boolean) {
    this.#mm = hmm.createMm();
    this.#bytes = bytes;
    this.#start = this.#mm.mmap({ length: bytes, ...PRIVATE });
    this.#mm.munmap(this.#start, bytes);
    const elsewhere = this.#start - 4 * bytes;
    this.#pfns = hmm.pfnArray(bytes / PAGE);
    this.#tables = Array.from({ length: mirrors }, () => new DeviceTable(this.#mm));
    for (const table of this.#tables) {
      new MmuIntervalNotifier(this.#mm, overlapping ? this.#start : elsewhere, bytes, {
        invalidate: ({ start, end }) => {
          this.#heard++;
          table.clear(start, end);
        },
      });
    }
    if (!overlapping) this.#tables.length = 0;
  }

  /** Unmaps twice, because frames rise with addresses in one mapping, and fall in the next one. */
  run(): Sample {
    const first = this.#once();
    const second = this.#once();
    return { ns: (first.ns + second.ns) / 2, hash: hashWord(first.hash, second.hash) };
  }

  #once(): Sample {
    const mm = this.#mm;
    const start = mm.mmap({ addr: this.#start, length: this.#bytes, ...PRIVATE });
    if (start !== this.#start) throw new Error("the mapping has moved");
    mm.populate(start, this.#bytes);
    for (let i = 0; i < this.#pfns.length; i++)
      this.#pfns[i] = (0xc0000000 | mm.lookupPte(start + i * PAGE)!.pfn) >>> 0;
    for (const table of this.#tables) table.map(start, this.#pfns);
    this.#heard = 0;
    const clock = performance.now();
    mm.munmap(start, this.#bytes);
    const ns = (performance.now() - clock) * 1e6;
    if (this.#heard !== this.#tables.length) throw new Error(`${this.#heard} mirrors were called`);
    return { ns, hash: this.#hash() };
  }

  /** Hashes what is left in the CPU's table and in the devices' tables. Nothing should be. */
  #hash(): number {
    let hash = hashWord(HASH_SEED, this.#mm.rss.total);
    for (let i = 0; i < this.#pfns.length; i++)
      if (this.#mm.lookupPte(this.#start + i * PAGE) !== null) hash = hashWord(hash, i);
    for (const table of this.#tables)
      for (const word of table.snapshot(this.#start, this.#pfns.length, this.#pfns))
        if (word !== 0) hash = hashWord(hash, word);
    return hash;
  }
}

interface Against {
  readonly name: string;
  readonly target: number;
  readonly mirrors: number;
  readonly overlapping: boolean;
}

async function measure(against: Against, context: Context): Promise<Result[]> {
  const { name, target, mirrors, overlapping } = against;
  const bytes = context.smoke ? 4 * MIB : 64 * MIB;
  const hmm = await createEngine({
    systemMemory: bytes,
    capacities: { pageTables: (MIRRORS + 3) * (bytes / (2 * MIB) + 16) },
  });
  const one = new Mirrors(hmm, bytes, 1, overlapping);
  const results = await context.compare({
    ours: new Mirrors(hmm, bytes, mirrors, overlapping),
    units: bytes / PAGE,
    rivals: [{ name, target, sides: [one] }],
  });
  hmm.verify();
  hmm.close();
  return results;
}

const row: Row = {
  title: "munmap of 64 MiB with 16 mirrors, against one mirror",
  unit: "page",
  async run(context) {
    const many = { mirrors: MIRRORS, name: "one-elsewhere", target: 1.3, overlapping: false };
    return [
      ...(await measure(many, context)),
      ...(await measure({ ...many, name: "one-overlapping", target: 12, overlapping: true }, context)),
      ...(await measure({ ...many, name: "itself", target: 1.05, mirrors: 1 }, context)),
    ];
  },
};
export default row;
