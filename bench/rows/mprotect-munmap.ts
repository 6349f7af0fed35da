/**
 * P6: mprotect and munmap of a populated mapping that one device mirrors. The mirror's callback changes the
 * device's table before the CPU's entries change. Both sides measure that work too.
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
} from "../../src/index.ts";
import type { Hmm, Mm, PfnArray } from "../../src/index.ts";
import { MIB, PAGE, PRIVATE, createEngine } from "../engine.ts";
import { HASH_SEED, hashWord } from "../harness.ts";
import type { Context, Result, Row, Sample, Side } from "../harness.ts";
import { fasterTwin, host } from "../native.ts";

/** A process with one mapping, and a device whose table holds every page of it. */
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

  /** Takes a snapshot of the mapping and enters every page in the device's table. */
  mapDevice(): void {
    const sem = this.mm.mmapSem.read();
    const range = new HmmRange();
    const vma = this.mm.findVma(this.start)!;
    hmmVmaGetPfns(vma, range, vma.start, vma.end, this.#pfns);
    if (!hmmVmaRangeDone(vma, range)) throw new Error("the snapshot is no longer valid");
    this.table.map(this.start, this.#pfns);
    sem.close();
  }

  /** Hashes what check() of native/mprotect-munmap.c hashes. */
  hash(seed = HASH_SEED): number {
    const entries = this.table.snapshot(this.start, this.bytes / PAGE, this.#pfns);
    let hash = seed;
    for (let i = 0; i < entries.length; i++) {
      const pte = this.mm.lookupPte(this.start + i * PAGE);
      const word = pte === null ? 0 : pte.pfn | (pte.flags & 0xc0000000);
      hash = hashWord(hashWord(hash, word), entries[i]);
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
    const before = this.#world.hash();
    const clock = performance.now();
    mm.mprotect(start, bytes, PROT_READ);
    const ns = (performance.now() - clock) * 1e6;
    const hash = this.#world.hash(before);
    mm.mprotect(start, bytes, PRIVATE.prot);
    this.#world.mapDevice();
    return { ns, hash };
  }
}

/**
 * Unmaps twice a repetition. The allocator hands out the frames that were freed last, so frame numbers rise
 * in one mapping and fall in the next one, and unmapping one of the two takes 1.5 times as long on both
 * sides.
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
      hash = this.#world.hash(hash);
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
    rivals: [
      fasterTwin(`twin-${call}`, "mprotect-munmap", [call, bytes, 0], 1.25),
      fasterTwin(`vectors-${call}`, "mprotect-munmap", [call, bytes, 1], 1.3),
      host(`host-${call}`, [call, bytes], 0.2),
    ],
  });
  noteStages(call, world, results[0].ours, context);
  hmm.verify();
  hmm.close();
  return results;
}

/** Prints the share of the device's table: the same change to the table, without the system call. */
function noteStages(call: "mprotect" | "munmap", world: Mirrored, whole: number, context: Context): void {
  const { table, start, bytes } = world;
  world.mapDevice();
  const clock = performance.now();
  if (call === "mprotect") table.protect(start, start + bytes);
  else table.clear(start, start + bytes);
  const device = ((performance.now() - clock) * 1e6) / (bytes / PAGE);
  const text = `device table ${device.toFixed(2)} · the rest ${(whole - device).toFixed(2)}`;
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
