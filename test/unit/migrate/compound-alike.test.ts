/** Huge pages whose 512 entries and parts are not all alike: what a migration does to all at once differs. */
import * as assert from "uvu/assert";
import { oldestPages, trackUse } from "../../../src/device/replay.ts";
import {
  Hmm,
  HmmError,
  hmmDevmemAdd,
  MADV_FREE,
  MADV_PAGEOUT,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateVmaSetup,
  PAGE_SIZE,
  VM_FAULT_SIGBUS,
  type HmmDevmem,
  type Migration,
  type Mm,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { advised, AT, byteAt, MIB, PAGES, PMD, write } from "../../util/huge.ts";

const TO_DEVICE = MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_COMPOUND;
const TO_SYSTEM = MIGRATE_VMA_SELECT_DEVICE_PRIVATE | MIGRATE_VMA_SELECT_COMPOUND;

/** A process with a huge page, each of whose pages has bytes of its own, and a device. */
class World {
  readonly hmm: Hmm;
  readonly mm: Mm;
  readonly devmem: HmmDevmem;

  constructor(module: WebAssembly.Module) {
    const sizes = { systemMemory: 16 * MIB, deviceMemory: 8 * MIB, swap: 8 * MIB };
    this.hmm = Hmm.createSync(module, sizes);
    this.mm = this.hmm.createMm();
    this.devmem = hmmDevmemAdd(this.hmm, { fault: () => VM_FAULT_SIGBUS }, this, 8 * MIB);
    advised(this.mm);
    for (let i = 0; i < PAGES; i++) write(this.mm, AT + i * PAGE_SIZE, i | 1);
  }

  /** Moves the huge page; `change` gets the migration before its pages move. */
  move(select: number, change: (m: Migration) => void = () => {}): number {
    using _sem = this.mm.mmapSem.read();
    using m = migrateVmaSetup({ vma: this.mm.findVma(AT), start: AT, end: AT + PMD, owner: this, select });
    if (select === TO_DEVICE) this.devmem.allocPages(m.src, m.dst);
    else this.hmm.allocPages(m.src, m.dst);
    this.hmm.copyPages(m.src, m.dst);
    change(m);
    return m.pages();
  }

  thereAndBack(): void {
    assert.equal([this.move(TO_DEVICE), this.move(TO_SYSTEM)], [PAGES, PAGES]);
    this.hmm.verify();
    for (let i = 0; i < PAGES; i++) assert.is(byteAt(this.mm, AT + i * PAGE_SIZE), (i | 1) & 255);
  }
}

onEachBuild("huge pages that are not alike", (test, module) => {
  test("what was given up stays given up on its way, and one write keeps all of it", () => {
    for (const written of [false, true]) {
      const w = new World(module);
      w.mm.madvise(AT, PMD, MADV_FREE);
      if (written) write(w.mm, AT + 300 * PAGE_SIZE, 300 | 1);
      w.thereAndBack();
      w.mm.madvise(AT, PMD, MADV_PAGEOUT);
      assert.equal([w.mm.rss.anon, w.mm.rss.swap], written ? [0, PAGES] : [0, 0]);
    }
  });
  test("a huge page of two processes moves with the entries of both", () => {
    const w = new World(module);
    const child = w.mm.fork();
    w.thereAndBack();
    for (let i = 0; i < PAGES; i++) assert.is(byteAt(child, AT + i * PAGE_SIZE), (i | 1) & 255);
    write(w.mm, AT, 7);
    assert.is(byteAt(child, AT), 1);
  });
  test("a pinned part keeps the huge page, with its entries", () => {
    const w = new World(module);
    using _pin = w.mm.pin(AT + 77 * PAGE_SIZE, 1);
    assert.is(w.move(TO_DEVICE), 0);
    w.hmm.verify();
    write(w.mm, AT + 78 * PAGE_SIZE, 1);
    assert.is(w.devmem.usedPages, 0);
  });
  test("a destination among the 511 words behind a unit is looked at like any", () => {
    const w = new World(module);
    const free = w.devmem.freePages;
    for (const at of [1, 17, 300, 511])
      assert.throws(
        () => w.move(TO_DEVICE, (m) => (m.dst[at] = m.dst[0] + at)),
        (error: unknown) => error instanceof HmmError && /dst/.test(error.message),
      );
    w.hmm.verify();
    assert.is(w.devmem.freePages, free);
    w.thereAndBack();
  });
  test("uses of a huge device page are forgotten with it", () => {
    const w = new World(module);
    trackUse(w.hmm);
    w.move(TO_DEVICE);
    assert.is(oldestPages(w.mm, w.devmem, 2 * PAGES).length, PAGES);
    w.move(TO_SYSTEM);
    assert.is(oldestPages(w.mm, w.devmem, 2 * PAGES).length, 0);
    assert.is(w.devmem.freePages, (8 * MIB) / PAGE_SIZE);
    w.thereAndBack();
  });
}).run();
