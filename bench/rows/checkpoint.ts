/**
 * P20: a checkpoint of an engine of 512 MiB, all of whose pages were written, and a rewind, after 100 pages
 * anywhere have changed. The "rival" is a unit, 1 ms.
 */
import type { Hmm } from "../../src/index.ts";
import { Checkpoint } from "../../src/testing.ts";
import { MIB, PAGE, PRIVATE, createEngine } from "../engine.ts";
import { HASH_SEED, hashWord, random } from "../harness.ts";
import type { Row, Side } from "../harness.ts";
import { unit } from "../units.ts";

const CHANGED = 100;

const clock = (work: () => void): number => {
  const start = performance.now();
  work();
  return (performance.now() - start) * 1e6;
};

/** An engine whose pages hold their numbers, and the engine that goes on from its checkpoint. */
class World {
  readonly point: Checkpoint;
  readonly #start: number;
  readonly #pages: number;
  #below = random(20);

  constructor(hmm: Hmm, bytes: number) {
    const mm = hmm.createMm();
    this.#pages = bytes / PAGE;
    this.#start = mm.mmap({ length: bytes, ...PRIVATE });
    mm.populate(this.#start, bytes);
    for (let i = 0; i < this.#pages; i++) mm.store32(this.#start + i * PAGE, i);
    this.point = new Checkpoint(hmm);
  }

  /** Changes words of pages anywhere, always the same way. */
  change(): void {
    const mm = this.point.hmm.mms()[0];
    this.#below = random(20);
    for (let i = 0; i < CHANGED; i++) mm.store32(this.#start + this.#below(this.#pages) * PAGE, 0xffffffff);
  }

  /** Hashes a word of each page. */
  hash(): number {
    const mm = this.point.hmm.mms()[0];
    let hash = HASH_SEED;
    for (let i = 0; i < this.#pages; i++) hash = hashWord(hash, mm.load32(this.#start + i * PAGE));
    return hash;
  }
}

const row: Row = {
  title: `checkpoint and rewind of 512 MiB, ${CHANGED} pages changed`,
  unit: "checkpoint · rewind",
  async run(context) {
    const bytes = context.smoke ? 8 * MIB : 512 * MIB;
    const world = new World(await createEngine({ systemMemory: bytes, capacities: {} }), bytes);
    const { point } = world;
    const rewind: Side = {
      run() {
        world.change();
        return { ns: clock(() => point.rewind()), hash: world.hash() };
      },
    };
    const save: Side = {
      run() {
        world.change();
        return { ns: clock(() => point.save()), hash: world.hash() };
      },
    };
    const ms = (name: string) => ({ ...unit(name, 1e6, 5), sameHash: false });
    return [
      ...(await context.compare({ ours: rewind, units: 1, rivals: [ms("rewind-in-ms")] })),
      ...(await context.compare({ ours: save, units: 1, rivals: [ms("checkpoint-in-ms")] })),
    ];
  },
};
export default row;
