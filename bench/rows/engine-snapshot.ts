/**
 * P14: hmm.snapshot() of an engine with 512 MiB of RAM, and Hmm.restore(), compared with memcpy of that many
 * bytes. hmm.snapshot({ into }) is compared with memcpy into memory that was touched before. hmm.snapshot()
 * allocates memory, which the host provides page by page, so its rival copies into new memory. Hmm.restore()
 * makes a new engine and is compared with both.
 */
import { Hmm } from "../../src/index.ts";
import type { Mm } from "../../src/index.ts";
import { MIB, PAGE, PRIVATE, createEngine } from "../engine.ts";
import { HASH_SEED, hashWord } from "../harness.ts";
import type { Rival, Row, Sample, Side } from "../harness.ts";
import { NativeSide, compiler } from "../native.ts";

/** An engine with one mapping. The first word of each page is the page's number, starting at 1. */
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

/** A port whose other end does not exist. Transferring a buffer to it frees the buffer. */
const { port1: nowhere } = new MessageChannel();
nowhere.close();

class Snapshots implements Side {
  readonly #world: World;
  readonly #into: Uint8Array | undefined;
  /** Offset of the first page in a snapshot. */
  readonly #first: number;

  constructor(world: World, into?: Uint8Array) {
    this.#world = world;
    this.#into = into;
    const { mm, start, hmm } = world;
    const marker = new TextEncoder().encode("this is the first page");
    mm.write(start + 4, marker);
    this.#first = Buffer.from(hmm.snapshot().buffer).lastIndexOf(marker) - 4;
  }

  run(): Sample {
    const { hmm, mm, start, pages } = this.#world;
    const clock = performance.now();
    const bytes = hmm.snapshot({ into: this.#into });
    const ns = (performance.now() - clock) * 1e6;
    const view = new DataView(bytes.buffer, this.#first);
    const base = mm.lookupPte(start)!.pfn;
    let hash = HASH_SEED;
    for (let i = 0; i < pages; i++) {
      const { pfn } = mm.lookupPte(start + i * PAGE)!;
      hash = hashWord(hash, view.getUint32((pfn - base) * PAGE, true));
    }
    // The rival also frees its memory outside the measured time. Otherwise the next repetition would collect
    // it.
    if (this.#into === undefined) nowhere.postMessage(null, [bytes.buffer as ArrayBuffer]);
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
      sides:
        compiler() === null ? null : [new NativeSide("engine-snapshot", "O3", [bytes, world.pages, ...how])],
    });
    const touched = (call: string): Rival => rivalOf(`${call}-memcpy`);
    const fresh = (call: string): Rival => rivalOf(`${call}-memcpy-new-memory`, "fresh");
    const units = bytes / MIB;
    const into = new Uint8Array(bytes);
    const results = [
      ...(await context.compare({ ours: new Snapshots(world, into), units, rivals: [touched("snapshot")] })),
      ...(await context.compare({ ours: new Snapshots(world), units, rivals: [fresh("snapshot")] })),
    ];
    const rivals = [touched("restore"), fresh("restore")];
    results.push(...(await context.compare({ ours: new Restores(world), units, rivals })));
    world.hmm.verify();
    world.hmm.close();
    return results;
  },
};
export default row;
