/**
 * The two functions of which a driver consists, written on the public API: a device's fault handler with the
 * calls of 2018 (`hmm_vma_fault`, `hmm_vma_range_done`: docs/linux.md), and a migration to the device whose
 * copies take time (docs/guide/testing-a-driver.md calls it `toDevice`).
 */
import * as assert from "uvu/assert";
import {
  DeviceTable,
  EBUSY,
  hmmDevmemAdd,
  HmmMirror,
  hmmMirrorRegister,
  hmmPfnToPage,
  HmmRange,
  hmmVmaFault,
  hmmVmaRangeDone,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateVmaSetup,
  PAGE_SIZE,
  REASON_NO_DESTINATION,
  type Hmm,
  type HmmDevmem,
  type MigrateResult,
  type Mm,
} from "../../src/index.ts";
import { DelayedDevice } from "../../src/testing.ts";
import { onEachBuild } from "../util/builds.ts";
import { makeHmm, pattern, rejectionOf } from "../util/driver.ts";

const P = PAGE_SIZE;
const RETRIES = 4;
let hmm: Hmm;

/** A lock with a callback for each acquisition; taking it twice is a failure. */
class UpdateLock {
  held = false;
  onAcquire: () => void = () => undefined;

  acquire(): { [Symbol.dispose](): void } {
    this.onAcquire();
    assert.not(this.held, "the update lock is taken twice");
    this.held = true;
    return { [Symbol.dispose]: () => void (this.held = false) };
  }
}

/** What the two functions need of a driver. */
interface Gpu {
  readonly updateLock: UpdateLock;
  readonly table: DeviceTable;
  readonly devmem: HmmDevmem;
  dma(src: Uint32Array, dst: Uint32Array): void | Promise<void>;
}

/** The device faults in [start, end) and maps what it gets. Returns the number of pages mapped, or -EBUSY. */
function populate(gpu: Gpu, mm: Mm, start: number, end: number, write: boolean): number {
  using pfns = hmm.pfnArray((end - start) / PAGE_SIZE);
  for (let i = 0; i < RETRIES; i++) {
    using sem = mm.mmapSem.read();
    const range = new HmmRange(),
      vma = mm.findVma(start);
    if (hmmVmaFault(vma, range, start, end, pfns, write, false) === -EBUSY) continue;
    using lock = gpu.updateLock.acquire();
    if (hmmVmaRangeDone(vma, range)) return gpu.table.map(start, pfns);
  }
  return -EBUSY;
}
/** Moves [start, end) to the device as far as the device has room. */
async function toDevice(gpu: Gpu, mm: Mm, start: number, end: number): Promise<MigrateResult> {
  using sem = await mm.mmapSem.readAsync();
  using m = migrateVmaSetup({
    vma: mm.findVma(start),
    start,
    end,
    owner: gpu,
    select: MIGRATE_VMA_SELECT_SYSTEM,
  });
  gpu.devmem.allocPages(m.src, m.dst); // writes 0 where the device is full
  await gpu.dma(m.src, m.dst); // a simulated device: hmm.copyPages(m.src, m.dst)
  m.pages();
  gpu.table.mapMigrated(m);
  return m.result; // leaving the block finalizes the migration
}

/** The driver: its mirror drops entries under the same lock that populate() maps them under. */
class TestGpu implements Gpu {
  readonly updateLock = new UpdateLock();
  readonly table: DeviceTable;
  readonly devmem: HmmDevmem;
  readonly mirror: HmmMirror;
  updates = 0;
  /** The copies wait for this promise. */
  copying: Promise<void> | undefined;

  constructor(mm: Mm, pages: number) {
    this.table = new DeviceTable(mm);
    const update = (_mirror: HmmMirror, _action: number, start: number, end: number): void => {
      this.updates++;
      using _lock = this.updateLock.acquire();
      this.table.clear(start, end);
    };
    this.mirror = new HmmMirror({ update });
    hmmMirrorRegister(this.mirror, mm);
    this.devmem = hmmDevmemAdd(mm.hmm, { fault: () => undefined }, this, 2 << 20);
    // Other code holds all but `pages` pages.
    while (this.devmem.freePages > pages) this.devmem.allocPage();
  }

  async dma(src: Uint32Array, dst: Uint32Array): Promise<void> {
    await this.copying;
    hmm.copyPages(src, dst);
  }
}

interface Scene {
  mm: Mm;
  gpu: TestGpu;
  addr: number;
  end: number;
}

function scene(module: WebAssembly.Module, devicePages = 8): Scene {
  hmm = makeHmm(module);
  const mm = hmm.createMm();
  const addr = mm.mmap({ length: 8 * P });
  mm.write(addr, pattern(4));
  return { mm, gpu: new TestGpu(mm, devicePages), addr, end: addr + 8 * P };
}

onEachBuild("driver: populate", (test, module) => {
  test("maps the pages that the CPU has and faults in the others", () => {
    const { mm, gpu, addr, end } = scene(module);
    assert.is(populate(gpu, mm, addr, end, true), 8);
    const seen = new Uint8Array(4 * P);
    assert.is(gpu.table.read(addr, seen), seen.length);
    assert.equal(seen, pattern(4));
    assert.is(gpu.table.write(addr, pattern(8, 3)), 8 * P);
    assert.equal(mm.read(addr, 8 * P), pattern(8, 3));
    assert.is(mm.mmapSem.mode, "free");
    assert.not(gpu.updateLock.held);
    hmm.verify();
  });

  test("tries again after an invalidation between fault and range done", () => {
    const { mm, gpu, addr, end } = scene(module);
    let tries = 0;
    gpu.updateLock.onAcquire = () => {
      gpu.updateLock.onAcquire = () => void tries++;
      tries++;
      // Before the driver has the lock, the CPU's page is dropped and replaced.
      mm.madvise(addr, P, 4);
      mm.store32(addr, 0x1234);
    };
    assert.is(populate(gpu, mm, addr, end, true), 8);
    assert.is(tries, 3, "once in vain, once by the update, once with success");
    assert.is(gpu.updates, 1);
    assert.is(hmmPfnToPage(gpu.table.lookup(addr)), mm.lookupPte(addr)!.pfn);
    hmm.verify();
  });

  test("gives up after repeated invalidations", () => {
    const { mm, gpu, addr, end } = scene(module);
    let inside = false;
    gpu.updateLock.onAcquire = () => {
      if (inside) return;
      inside = true;
      mm.madvise(addr, P, 4);
      inside = false;
    };
    assert.is(populate(gpu, mm, addr, end, false), -EBUSY);
    assert.is(gpu.updates, RETRIES);
    assert.is(gpu.table.entries, 0);
    assert.is(mm.mmapSem.mode, "free");
    hmm.verify();
  });

  test("does not wait for an open migration and succeeds after its end", async () => {
    const { mm, gpu, addr, end } = scene(module);
    let finish: () => void = () => undefined;
    gpu.copying = new Promise((resolve) => (finish = resolve));
    const moving = toDevice(gpu, mm, addr, addr + 4 * P);
    await Promise.resolve();
    assert.is(hmm.migrations().length, 1);
    assert.is(populate(gpu, mm, addr, end, false), -EBUSY);
    finish();
    assert.is((await moving).moved, 4);
    assert.is(populate(gpu, mm, addr, end, false), 8);
    assert.is(gpu.devmem.usedPages - (512 - 8), 4, "one's own pages stay where they are");
    hmm.verify();
  });
}).run();

onEachBuild("driver: toDevice", (test, module) => {
  test("moves the range", async () => {
    const { mm, gpu, addr, end } = scene(module);
    const result = await toDevice(gpu, mm, addr, end);
    assert.is(result.moved, 8);
    assert.equal(result.stayed, []);
    assert.is(hmm.migrations().length, 0);
    assert.is(gpu.table.entries, 8);
    const seen = new Uint8Array(4 * P);
    gpu.table.read(addr, seen);
    assert.equal(seen, pattern(4));
    hmm.verify();
  });

  test("leaves the pages in place for which the device has no room", async () => {
    const { mm, gpu, addr, end } = scene(module, 3);
    const result = await toDevice(gpu, mm, addr, end);
    assert.is(result.moved, 3);
    assert.equal(
      result.stayed.map(({ index, reason }) => [index, reason]),
      [3, 4, 5, 6, 7].map((index) => [index, REASON_NO_DESTINATION]),
    );
    assert.is(gpu.table.entries, 3);
    assert.equal(mm.read(addr + 3 * P, P), pattern(4).slice(3 * P));
    hmm.verify();
  });

  test("waits for copies, and accesses wait for the migration", async () => {
    hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 8 * P });
    mm.write(addr, pattern(8));
    const device = new DelayedDevice(hmm, { memory: 2 << 20, seed: 7 });
    const table = new DeviceTable(mm);
    const gpu: Gpu = {
      updateLock: new UpdateLock(),
      table,
      devmem: device.devmem,
      dma: (src, dst) => device.dma(src, dst),
    };
    const moves = [0, 2, 4].map((page) => toDevice(gpu, mm, addr + page * P, addr + (page + 2) * P));
    await device.until(3);
    assert.is(hmm.migrations().length, 3);
    assert.match(String(await rejectionOf(async () => mm.read(addr, 1))), /EAGAIN.*migration \d is open/);
    const order: number[] = [];
    moves.forEach((move, i) => void move.then(() => order.push(i)));
    for (const i of [2, 0, 0]) device.finish(device.pending[i]);
    const results = await Promise.all(moves);
    assert.equal(order, [2, 0, 1], "in the order of the copies");
    assert.equal(
      results.map(({ moved }) => moved),
      [2, 2, 2],
    );
    assert.is(table.entries, 6);
    hmm.verify();
    const bytes = device.settle(mm.readAsync(addr, 8 * P));
    assert.equal(await bytes, pattern(8));
  });

  test("a failed copy leaves everything unchanged", async () => {
    const { mm, gpu, addr, end } = scene(module);
    gpu.copying = Promise.reject(new Error("the copy failed"));
    assert.match(String(await rejectionOf(() => toDevice(gpu, mm, addr, end))), /the copy failed/);
    assert.is(hmm.migrations().length, 0);
    assert.is(mm.mmapSem.mode, "free");
    assert.is(gpu.devmem.freePages, 8);
    assert.equal(mm.read(addr, 4 * P), pattern(4));
    hmm.verify();
  });
}).run();
