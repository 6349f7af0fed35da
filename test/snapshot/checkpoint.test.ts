/**
 * A checkpoint is a snapshot in place: rewinding brings back every byte of memory, whatever has changed it,
 * and the engine goes on from there to the same bytes.
 */
import * as assert from "uvu/assert";
import { contextOf } from "../../src/engine/context.ts";
import {
  DeviceTable,
  Hmm,
  MADV_HUGEPAGE,
  MADV_PAGEOUT,
  MAP_SHARED,
  PAGE_SIZE,
  type HmmConfig,
  type HmmFile,
  type Mm,
} from "../../src/index.ts";
import { Checkpoint } from "../../src/testing.ts";
import { onEachBuild } from "../util/builds.ts";
import { Player, STEPS } from "./play.ts";

const P = PAGE_SIZE;
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Little memory, of which tests compare every byte. */
const SMALL: HmmConfig = {
  systemMemory: 64 * P,
  deviceMemory: 2 << 20,
  swap: 16 * P,
  arena: 1 << 16,
  eventLog: 16,
  capacities: { vmas: 32, anonVmas: 32, anonVmaLinks: 64, pageTables: 64 },
};

/** All of linear memory. */
const memoryOf = (hmm: Hmm): Uint8Array => contextOf("test", hmm).mem.bytes;

/** A process with eight pages of its own, eight of a file, and a device's table of the first eight. */
class World {
  readonly hmm: Hmm;
  readonly mm: Mm;
  readonly own: number;
  readonly file: HmmFile;
  readonly mapped: number;
  readonly table: DeviceTable;

  constructor(module: WebAssembly.Module) {
    this.hmm = Hmm.createSync(module, SMALL);
    this.mm = this.hmm.createMm();
    this.own = this.mm.mmap({ length: 8 * P });
    this.file = this.hmm.createFile({ size: 8 * P });
    this.mapped = this.mm.mmap({ length: 8 * P, file: this.file, flags: MAP_SHARED });
    this.table = new DeviceTable(this.mm);
    for (let i = 0; i < 8; i++) {
      this.mm.store32(this.own + i * P, 100 + i);
      this.mm.store32(this.mapped + i * P, 0x5a5a5a00 + i);
    }
    const pfns = Array.from({ length: 8 }, (_, i) => this.pfn(i) | 0xc0000000);
    this.table.map(this.own, Uint32Array.from(pfns));
  }

  pfn(i: number): number {
    return this.mm.lookupPte(this.own + i * P)!.pfn;
  }
}

/** Everything that changes bytes of frames. */
const WRITERS: Record<string, (w: World) => void> = {
  store32: (w) => w.mm.store32(w.own + 4, 1),
  write: (w) => void w.mm.write(w.own + 5, Uint8Array.of(1, 2, 3)),
  "the device's table": (w) => void w.table.write(w.own + P, Uint8Array.of(9)),
  "a fault of a new page": (w) => w.mm.populate(w.mm.mmap({ length: P }), P),
  "a copy on write": (w) => w.mm.fork().store32(w.own, 7),
  "a copy of pages": (w) => {
    const page = w.hmm.allocPage();
    const word = (pfn: number): number => (pfn | 0xc0000000) >>> 0;
    assert.is(w.hmm.copyPages(Uint32Array.of(word(w.pfn(0))), Uint32Array.of(word(page))), 1);
  },
  pageBytes: (w) => w.hmm.pageBytes(w.pfn(2), (bytes) => void bytes.fill(5)),
  "the file's write": (w) => void w.file.write(P + 1, Uint8Array.of(6)),
  "the file's new end": (w) => w.file.truncate(5 * P + 1),
  "swap space": (w) => {
    w.hmm.swapOn = true;
    w.mm.madvise(w.own, 4 * P, MADV_PAGEOUT);
    assert.is(w.mm.rss.swap, 4);
    w.mm.load32(w.own);
  },
};

onEachBuild("checkpoint", (test, module) => {
  for (const [name, write] of Object.entries(WRITERS)) {
    test(`brings back what ${name} has changed`, () => {
      const world = new World(module);
      const point = new Checkpoint(world.hmm);
      const before = memoryOf(world.hmm).slice();
      write(world);
      assert.ok(!same(memoryOf(world.hmm), before), "the writer changes something");
      const hmm = point.rewind();
      assert.ok(same(memoryOf(hmm), before), "every byte is back");
      hmm.verify();
    });
  }

  test("brings back what a huge page has zeroed", () => {
    const hmm = Hmm.createSync(module, { ...SMALL, systemMemory: 8 << 20, deviceMemory: 0 });
    const mm = hmm.createMm();
    const used = mm.mmap({ length: 7 << 20 });
    for (let at = used; at < used + (7 << 20); at += P) mm.store32(at, 0x5a5a5a5a);
    mm.munmap(used, 7 << 20); // the frames keep their bytes
    const start = Math.ceil(mm.mmap({ length: 4 << 20 }) / (2 << 20)) * (2 << 20);
    mm.madvise(start, 2 << 20, MADV_HUGEPAGE);
    const point = new Checkpoint(hmm);
    const before = memoryOf(hmm).slice();
    mm.store32(start, 1);
    assert.is(mm.rss.anon, 512);
    assert.ok(same(memoryOf(point.rewind()), before));
  });

  test("rewinds again, and to a later state once that is saved", () => {
    const { hmm, mm, own } = new World(module);
    const point = new Checkpoint(hmm);
    mm.store32(own, 1);
    let now = point.rewind().mms()[0];
    assert.is(now.load32(own), 100);
    now.store32(own, 2);
    point.save();
    now.store32(own, 3);
    now.store32(own + 7 * P, 4);
    now = point.rewind().mms()[0];
    assert.equal([now.load32(own), now.load32(own + 7 * P)], [2, 107]);
    assert.is(point.hmm.mms()[0], now);
  });

  test("keeps frames that are zero, and does without frames that have no bytes", () => {
    const hmm = Hmm.createSync(module, { ...SMALL, deviceMemory: 0 });
    const first = new Checkpoint(hmm);
    const before = memoryOf(hmm).slice();
    const mm = hmm.createMm();
    mm.store32(mm.mmap({ length: P }), 1);
    assert.ok(same(memoryOf(first.rewind()), before));
    const bare = Hmm.createSync(module, { ...SMALL, deviceMemory: 0, backing: "metadata" });
    const second = new Checkpoint(bare);
    const empty = memoryOf(bare).slice();
    const other = bare.createMm();
    other.populate(other.mmap({ length: 16 * P }), 16 * P);
    assert.ok(same(memoryOf(second.rewind()), empty));
  });

  test("the engine from before is dead, and says so", () => {
    const { hmm, mm, own } = new World(module);
    const point = new Checkpoint(hmm);
    const next = point.rewind();
    for (const call of [() => mm.load32(own), () => mm.mmap({ length: P }), () => hmm.createMm()])
      assert.throws(call, /the engine was rewound: use the one that rewind\(\) has returned/);
    assert.is(next.mms()[0].load32(own), 100);
  });

  test("nothing changes where a callback is missing", () => {
    const player = new Player(module);
    const [first, ...others] = Object.values(STEPS);
    first(player);
    const point = new Checkpoint(player.hmm);
    others[0](player);
    const before = memoryOf(player.hmm).slice();
    assert.throws(() => point.rewind(), /checkpoint\.rewind: attach\.\w+\["[\w ]+"\] must be given/);
    assert.ok(same(memoryOf(player.hmm), before));
    assert.is(point.hmm, player.hmm);
  });

  test("before every step of a play, also within migrations: the step goes on to the same bytes", () => {
    const player = new Player(module);
    const point = new Checkpoint(player.hmm);
    for (const [name, step] of Object.entries(STEPS)) {
      point.save();
      const before = player.hmm.snapshot();
      step(player);
      const after = player.hmm.snapshot();
      player.hmm = point.rewind(player.attachments);
      assert.ok(same(player.hmm.snapshot(), before), `before ${name}`);
      step(player);
      assert.ok(same(player.hmm.snapshot(), after), `after ${name}`);
      player.hmm.verify();
    }
  });
}).run();
