/**
 * P3: migrateVma moves every page of a mapping to the device and back, 512 pages at a time. With page
 * contents the rivals are memcpy and non-temporal copies of the same pages in the same order. In metadata
 * mode no copy hides the overhead, and the rivals are the same table work in C, page by page and by runs.
 */
import {
  HmmMirror,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  hmmMirrorRegister,
  migrateVmaSetup,
} from "../../src/index.ts";
import type { Hmm, Mm } from "../../src/index.ts";
import { BATCH, BenchDevice, MIB, PAGE, PRIVATE, createEngine } from "../engine.ts";
import { HASH_SEED, hashWord, median } from "../harness.ts";
import type { Context, Result, Row, Sample, Side } from "../harness.ts";
import { NativeSide, compiler, fasterTwin, vectors, withFolder } from "../native.ts";

/**
 * Words of each page that a repetition fills before the moves and compares afterwards, as in
 * native/migrate.c.
 */
const WORDS = 16;

/** Non-temporal stores, which WebAssembly lacks, are the floor of the row. */
const STREAM_TARGET = 1.5;

type Backing = "data" | "metadata";

class World {
  readonly hmm: Hmm;
  readonly backing: Backing;
  readonly device: BenchDevice;
  readonly mm: Mm;
  readonly start: number;
  readonly end: number;
  readonly pages: number;

  private constructor(hmm: Hmm, bytes: number, backing: Backing) {
    this.hmm = hmm;
    this.backing = backing;
    this.device = new BenchDevice(hmm, bytes, { copies: backing === "data" });
    this.mm = hmm.createMm();
    this.pages = bytes / PAGE;
    this.start = this.mm.mmap({ length: bytes, ...PRIVATE });
    this.end = this.start + bytes;
    // A driver that migrates also mirrors the range, so a callback runs for every batch.
    hmmMirrorRegister(new HmmMirror({ update() {} }), this.mm);
    this.mm.populate(this.start, bytes);
  }

  static async create(bytes: number, backing: Backing): Promise<World> {
    return new World(
      await createEngine({ systemMemory: bytes, deviceMemory: bytes, backing }),
      bytes,
      backing,
    );
  }

  roundTrip(): void {
    const { device, mm, start, end, pages } = this;
    const moved = device.toDevice(mm, start, end) + device.toSystem(mm, start, end);
    if (moved !== 2 * pages) throw new Error(`${moved} of ${2 * pages} pages moved`);
  }

  /** Returns the frame of each page. */
  frames(): number[] {
    return Array.from({ length: this.pages }, (_, i) => this.mm.lookupPte(this.start + i * PAGE)!.pfn);
  }

  /**
   * Returns the pairs (from, to) that native/migrate.c copies: all pages to the device, then all of them
   * back.
   */
  copies(): Uint32Array {
    const { device, mm, start, end } = this;
    const home = this.frames();
    device.toDevice(mm, start, end);
    const away = this.frames();
    device.toSystem(mm, start, end);
    const back = this.frames();
    return Uint32Array.from(
      [...home.map((pfn, i) => [pfn, away[i]]), ...away.map((pfn, i) => [pfn, back[i]])].flat(),
    );
  }

  close(): void {
    this.hmm.verify();
    this.hmm.close();
  }
}

const clock = (work: () => void): number => {
  const start = performance.now();
  work();
  return (performance.now() - start) * 1e6;
};

class DataSide implements Side {
  readonly #world: World;
  #stamp = 0;

  constructor(world: World) {
    this.#world = world;
  }

  run(): Sample {
    const { mm, start, pages } = this.#world;
    const stamp = ++this.#stamp;
    for (let i = 0; i < pages * WORDS; i++) mm.store32(start + i * (PAGE / WORDS), (i + stamp) >>> 0);
    const ns = clock(() => this.#world.roundTrip());
    let hash = HASH_SEED;
    for (let i = 0; i < pages * WORDS; i++) {
      hash = hashWord(hash, (mm.load32(start + i * (PAGE / WORDS)) - stamp) >>> 0);
    }
    return { ns, hash };
  }
}

/** Does and hashes what repeat_metadata() of native/migrate.c does and hashes. */
class MetadataSide implements Side {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  run(): Sample {
    const { device, mm, start, end } = this.#world;
    let ns = 0;
    let hash = HASH_SEED;
    for (let way = 0; way < 4; way++) {
      let moved = 0;
      ns += clock(() => {
        moved = way % 2 === 0 ? device.toDevice(mm, start, end) : device.toSystem(mm, start, end);
      });
      if (moved !== this.#world.pages) throw new Error(`${moved} of ${this.#world.pages} pages moved`);
      hash = this.#placement(hash);
    }
    return { ns: ns / 2, hash: hashWord(hash, mm.rss.anon) };
  }

  /** Hashes the frame and the flags of each page. */
  #placement(seed: number): number {
    const { mm, start, pages } = this.#world;
    let hash = seed;
    for (let i = 0; i < pages; i++) {
      const { flags, pfn } = mm.lookupPte(start + i * PAGE)!;
      hash = hashWord(hash, pfn | (flags & 0xc0000000));
    }
    return hash;
  }
}

const STAGES = ["setup", "allocate", "copy", "pages", "finalize"] as const;
type Stages = Record<(typeof STAGES)[number], number>;

/** Makes one round trip and reads the clock after each stage. Returns milliseconds. */
function stagesOf(world: World): Stages {
  const spent: Stages = { setup: 0, allocate: 0, copy: 0, pages: 0, finalize: 0 };
  const { hmm, device, mm } = world;
  const sem = mm.mmapSem.read();
  const vma = mm.findVma(world.start)!;
  for (const select of [MIGRATE_VMA_SELECT_SYSTEM, MIGRATE_VMA_SELECT_DEVICE_PRIVATE]) {
    const from = select === MIGRATE_VMA_SELECT_SYSTEM ? device.devmem : hmm;
    for (let start = world.start; start < world.end; start += BATCH * PAGE) {
      const end = Math.min(start + BATCH * PAGE, world.end);
      const t0 = performance.now();
      const m = migrateVmaSetup({ vma, start, end, select, owner: device });
      const t1 = performance.now();
      from.allocPages(m.src, m.dst);
      const t2 = performance.now();
      if (world.backing === "data") hmm.copyPages(m.src, m.dst);
      const t3 = performance.now();
      m.pages();
      const t4 = performance.now();
      m.finalize();
      const t5 = performance.now();
      spent.setup += t1 - t0;
      spent.allocate += t2 - t1;
      spent.copy += t3 - t2;
      spent.pages += t4 - t3;
      spent.finalize += t5 - t4;
    }
  }
  sem.close();
  return spent;
}

function noteStages(name: string, world: World, context: Context): void {
  const runs = Array.from({ length: context.smoke ? 1 : 7 }, () => stagesOf(world));
  const text = STAGES.map((stage) => {
    const ns = (median(runs.map((run) => run[stage])) * 1e6) / (2 * world.pages);
    return `${stage} ${ns.toFixed(1)}`;
  });
  context.note(`stages of ${name}, ns a page (setup is collect, lock and unmap): ${text.join(" · ")}`);
}

/** Compares a migration of pages that have contents with memcpy. P10 uses it too. */
export async function measureData(bytes: number, target: number, context: Context): Promise<Result[]> {
  const name = `${bytes / MIB}-MiB`;
  const world = await World.create(bytes, "data");
  const results = await withFolder((file) => {
    const copies = world.copies();
    const frames = copies.reduce((most, pfn) => Math.max(most, pfn)) + 1;
    const args = [frames, file("copies", copies)];
    const sides = compiler() === null ? null : [new NativeSide("migrate", "O3", ["memcpy", ...args])];
    const rivals = [
      { name: `memcpy-${name}`, target, sides },
      vectors(`non-temporal-${name}`, "migrate", ["stream", ...args], STREAM_TARGET),
    ];
    return context.compare({ ours: new DataSide(world), units: 2 * world.pages, rivals });
  });
  noteStages(name, world, context);
  world.close();
  return results;
}

/** Compares a migration in metadata mode, which is table work alone, with the C twin. */
export async function measureMetadata(bytes: number, context: Context): Promise<Result[]> {
  const world = await World.create(bytes, "metadata");
  const rivals = [
    fasterTwin("twin-metadata", "migrate", ["metadata", bytes], 1.3),
    fasterTwin("runs-metadata", "migrate", ["runs", bytes], 1.3),
  ];
  const ours = new MetadataSide(world);
  const results = await context.compare({ ours, units: 2 * world.pages, rivals });
  noteStages("metadata", world, context);
  world.close();
  return results;
}

const row: Row = {
  title: "migrateVma round trip, batches of 512 pages",
  unit: "page moved",
  async run(context) {
    if (context.smoke)
      return [...(await measureData(4 * MIB, 1.15, context)), ...(await measureMetadata(4 * MIB, context))];
    return [
      ...(await measureData(64 * MIB, 1.15, context)),
      ...(await measureData(512 * MIB, 1.05, context)),
      ...(await measureMetadata(512 * MIB, context)),
    ];
  },
};
export default row;
