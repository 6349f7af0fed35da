/**
 * P14: hmm.snapshot() of an engine with 512 MiB of RAM, and Hmm.restore(), each against memcpy of as many bytes into
 * memory that was touched before, and against memcpy into new memory: ours make new memory each time, which the host has to
 * find page by page.
 */
import { Hmm } from "../src/index.ts";
import type { Mm } from "../src/index.ts";
import { MIB, PAGE, PRIVATE, createEngine } from "./engine.ts";
import { HASH_SEED, hashWord } from "./harness.ts";
import type { Rival, Row, Sample, Side } from "./harness.ts";
import { NativeSide, compiler } from "./native.ts";

/** An engine whose pages are numbered from 1 on. */
class World {
  readonly hmm: Hmm;
  readonly mm: Mm;
  readonly start: number;
  readonly pages: number;

  constructor(hmm: Hmm, bytes: number) {
    this.hmm = hmm;
    this.mm = hmm.createMm();
    this.start = this.mm.mmap({ length: bytes, ...PRIVATE });
    this.pages = bytes / PAGE;
    this.mm.populate(this.start, bytes);
    for (let i = 0; i < this.pages; i++) this.mm.store32(this.start + i * PAGE, i + 1);
  }
}

class Snapshots implements Side {
  readonly #world: World;
  /** Where the first page is in a snapshot. */
  readonly #first: number;

  constructor(world: World) {
    this.#world = world;
    const { mm, start, hmm } = world;
    const marker = new TextEncoder().encode("this is the first page");
    mm.write(start + 4, marker);
    this.#first = Buffer.from(hmm.snapshot().buffer).lastIndexOf(marker) - 4;
  }

  run(): Sample {
    const { hmm, mm, start, pages } = this.#world;
    const clock = performance.now();
    const bytes = hmm.snapshot();
    const ns = (performance.now() - clock) * 1e6;
    const view = new DataView(bytes.buffer, this.#first);
    const base = mm.lookupPte(start)!.pfn;
    let hash = HASH_SEED;
    for (let i = 0; i < pages; i++) {
      const { pfn } = mm.lookupPte(start + i * PAGE)!;
      hash = hashWord(hash, view.getUint32((pfn - base) * PAGE, true));
    }
    return { ns, hash };
  }
}

class Restores implements Side {
  readonly #world: World;
  readonly #bytes: Uint8Array;

  constructor(world: World) {
    this.#world = world;
    this.#bytes = world.hmm.snapshot();
  }

  run(): Sample {
    const { start, pages } = this.#world;
    const clock = performance.now();
    const hmm = Hmm.restore(this.#bytes);
    const ns = (performance.now() - clock) * 1e6;
    const [mm] = hmm.mms();
    let hash = HASH_SEED;
    for (let i = 0; i < pages; i++) hash = hashWord(hash, mm.load32(start + i * PAGE));
    hmm.close();
    return { ns, hash };
  }
}

const row: Row = {
  title: "snapshot and restore of 512 MiB",
  unit: "MiB",
  async run(context) {
    const size = context.smoke ? 8 * MIB : 512 * MIB;
    const world = new World(await createEngine({ systemMemory: size }), size);
    const bytes = world.hmm.snapshot().length;
    const rivalOf = (name: string, ...how: string[]): Rival => ({
      name,
      target: 1.1,
      sides: compiler() === null ? null : [new NativeSide("p14", "O3", [bytes, world.pages, ...how])],
    });
    const rivalsOf = (call: string): Rival[] => [
      rivalOf(`${call}-memcpy`),
      rivalOf(`${call}-memcpy-new-memory`, "fresh"),
    ];
    const units = bytes / MIB;
    const snapshots = { ours: new Snapshots(world), units, rivals: rivalsOf("snapshot") };
    const results = await context.compare(snapshots);
    const restores = { ours: new Restores(world), units, rivals: rivalsOf("restore") };
    results.push(...(await context.compare(restores)));
    world.hmm.verify();
    world.hmm.close();
    return results;
  },
};
export default row;
