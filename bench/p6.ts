/**
 * P6: mprotect, and munmap, of a populated mapping that one device mirrors. The device's callback changes its table
 * before the CPU's entries change: that is part of what is measured, on both sides.
 */
import {
  DeviceTable,
  HMM_UPDATE_WRITE_PROTECT,
  HmmMirror,
  HmmRange,
  PROT_READ,
  hmmMirrorRegister,
  hmmVmaGetPfns,
  hmmVmaRangeDone,
} from "../src/index.ts";
import type { Hmm, Mm, PfnArray } from "../src/index.ts";
import { MIB, PAGE, PRIVATE, createEngine } from "./engine.ts";
import { HASH_SEED, hashWord } from "./harness.ts";
import type { Context, Result, Row, Sample, Side } from "./harness.ts";
import { fasterTwin, host } from "./native.ts";

/** A process with one mapping, and a device that has all of it in its table. */
class Mirrored {
  readonly mm: Mm;
  readonly bytes: number;
  readonly table: DeviceTable;
  readonly #pfns: PfnArray;
  start = 0;

  constructor(hmm: Hmm, bytes: number) {
    this.mm = hmm.createMm();
    this.bytes = bytes;
    const table = new DeviceTable(this.mm);
    this.table = table;
    this.#pfns = hmm.pfnArray(bytes / PAGE);
    const mirror = new HmmMirror({
      update(_mirror, action, start, end) {
        if (action === HMM_UPDATE_WRITE_PROTECT) table.protect(start, end);
        else table.clear(start, end);
      },
    });
    hmmMirrorRegister(mirror, this.mm);
    this.map();
  }

  map(): void {
    this.start = this.mm.mmap({ length: this.bytes, ...PRIVATE });
    this.mm.populate(this.start, this.bytes);
    this.mapDevice();
  }

  /** The device learns of every page: snapshot, then its table. */
  mapDevice(): void {
    const sem = this.mm.mmapSem.read();
    const range = new HmmRange();
    const vma = this.mm.findVma(this.start)!;
    hmmVmaGetPfns(vma, range, vma.start, vma.end, this.#pfns);
    if (!hmmVmaRangeDone(vma, range)) throw new Error("the snapshot is not valid any more");
    this.table.map(this.start, this.#pfns);
    sem.close();
  }

  /** As check() in p6.c. */
  hash(seed = HASH_SEED): number {
    const entries = this.table.snapshot(this.start, this.bytes / PAGE, this.#pfns);
    let hash = seed;
    for (let i = 0; i < entries.length; i++) {
      const pte = this.mm.lookupPte(this.start + i * PAGE);
      hash = hashWord(hashWord(hash, (pte?.flags ?? 0) & 0xc0000000), entries[i] & 0xc0000000);
    }
    return hashWord(hash, this.mm.rss.anon);
  }
}

class Protect implements Side {
  readonly #world: Mirrored;

  constructor(world: Mirrored) {
    this.#world = world;
  }

  run(): Sample {
    const { mm, start, bytes } = this.#world;
    const clock = performance.now();
    mm.mprotect(start, bytes, PROT_READ);
    const ns = (performance.now() - clock) * 1e6;
    const hash = this.#world.hash();
    mm.mprotect(start, bytes, PRIVATE.prot);
    this.#world.mapDevice();
    return { ns, hash };
  }
}

/**
 * Twice: what was given back last is taken first, so that frames go upwards in one of two mappings and downwards in the other,
 * and one of them takes half as long again, on both sides.
 */
class Unmap implements Side {
  readonly #world: Mirrored;

  constructor(world: Mirrored) {
    this.#world = world;
  }

  run(): Sample {
    const { mm, bytes } = this.#world;
    let ns = 0;
    let hash = HASH_SEED;
    for (let i = 0; i < 2; i++) {
      const clock = performance.now();
      mm.munmap(this.#world.start, bytes);
      ns += (performance.now() - clock) * 1e6;
      hash = this.#world.hash(hash);
      this.#world.map();
    }
    return { ns: ns / 2, hash };
  }
}

async function measure(
  call: "mprotect" | "munmap",
  make: (world: Mirrored) => Side,
  bytes: number,
  context: Context,
): Promise<Result[]> {
  const hmm = await createEngine({ systemMemory: bytes });
  const world = new Mirrored(hmm, bytes);
  const results = await context.compare({
    ours: make(world),
    units: bytes / PAGE,
    rivals: [fasterTwin(`twin-${call}`, "p6", [call, bytes], 1.25), host(`host-${call}`, [call, bytes], 0.2)],
  });
  noteStages(call, world, results[0].ours, context);
  hmm.verify();
  hmm.close();
  return results;
}

/** The device's part by itself: its table is changed without the call, in the same way. */
function noteStages(call: "mprotect" | "munmap", world: Mirrored, whole: number, context: Context): void {
  const { table, start, bytes } = world;
  world.mapDevice();
  const clock = performance.now();
  if (call === "mprotect") table.protect(start, start + bytes);
  else table.clear(start, start + bytes);
  const device = ((performance.now() - clock) * 1e6) / (bytes / PAGE);
  const text = `the device's table ${device.toFixed(2)} · the rest ${(whole - device).toFixed(2)}`;
  context.note(`stages of ${call}, ns a page: ${text}`);
}

const row: Row = {
  title: "mprotect and munmap of 256 MiB, mirrored by one device",
  unit: "page",
  async run(context) {
    const bytes = context.smoke ? 4 * MIB : 256 * MIB;
    return [
      ...(await measure("mprotect", (world) => new Protect(world), bytes, context)),
      ...(await measure("munmap", (world) => new Unmap(world), bytes, context)),
    ];
  },
};
export default row;
