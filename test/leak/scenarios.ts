/** Every kind of work; each scenario closes everything at its end. */
import * as assert from "uvu/assert";
import { Dmirror, DmirrorDevice } from "../../src/dmirror.ts";
import {
  DeviceTable,
  HmmMirror,
  hmmMirrorRegister,
  hmmDevmemAdd,
  HmmRange,
  hmmVmaFault,
  hmmVmaRangeDone,
  MADV_DONTNEED,
  MADV_MERGEABLE,
  MADV_UNMERGEABLE,
  MADV_WIPEONFORK,
  makeDeviceExclusive,
  Memcg,
  migrateDeviceRange,
  migrateVmaSetup,
  MmuIntervalNotifier,
  MREMAP_MAYMOVE,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
  type Hmm,
  type Mm,
} from "../../src/index.ts";
import { DelayedDevice } from "../../src/testing.ts";
import { errorOf, pattern, rejectionOf, TestGpu } from "../util/driver.ts";
import { broken } from "./broken.ts";
import { populated, setup, type Scenario } from "./scenario.ts";

const RW = PROT_READ | PROT_WRITE;

/** Three generations of processes, each with writes of its own. */
function family(hmm: Hmm): Mm[] {
  const { mm, addr } = populated(hmm, 16);
  const child = mm.fork();
  child.write(addr + 2 * PAGE_SIZE, pattern(4, 1));
  const grandchild = child.fork();
  grandchild.write(addr + 3 * PAGE_SIZE, pattern(4, 2));
  mm.write(addr, pattern(3, 3));
  const second = mm.fork();
  second.munmap(addr + 4 * PAGE_SIZE, 4 * PAGE_SIZE);
  return [mm, child, grandchild, second];
}

const mappings: Record<string, Scenario> = {
  "mappings that are split, moved, merged and unmapped"(hmm) {
    const { mm, addr, end } = populated(hmm, 32);
    mm.mprotect(addr + 4 * PAGE_SIZE, 4 * PAGE_SIZE, PROT_READ);
    mm.munmap(addr + 16 * PAGE_SIZE, 2 * PAGE_SIZE);
    const moved = mm.mremap(addr + 8 * PAGE_SIZE, 8 * PAGE_SIZE, 64 * PAGE_SIZE, MREMAP_MAYMOVE);
    mm.write(moved + 40 * PAGE_SIZE, pattern(2));
    mm.madvise(moved, 4 * PAGE_SIZE, MADV_DONTNEED);
    mm.madvise(moved, PAGE_SIZE, MADV_WIPEONFORK);
    mm.mlock(end - 4 * PAGE_SIZE, 4 * PAGE_SIZE);
    mm.mprotect(addr + 4 * PAGE_SIZE, 4 * PAGE_SIZE, RW);
    assert.ok(mm.vmas().length > 3);
    mm.close();
  },
  "pages that KSM has merged, in three processes and on a device"(hmm) {
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 16 * PAGE_SIZE });
    for (let i = 0; i < 16; i++) mm.write(addr + i * PAGE_SIZE, pattern(1, i % 3));
    mm.madvise(addr, 16 * PAGE_SIZE, MADV_MERGEABLE);
    hmm.ksmScan(3);
    const child = mm.fork();
    const gpu = new TestGpu(child, 2 << 20);
    gpu.toDevice(addr, addr + 2 * PAGE_SIZE);
    child.write(addr + 3 * PAGE_SIZE, pattern(4, 3));
    hmm.ksmScan(3);
    const grandchild = child.fork();
    mm.mremap(addr + 8 * PAGE_SIZE, 4 * PAGE_SIZE, 8 * PAGE_SIZE, MREMAP_MAYMOVE);
    grandchild.madvise(addr, 8 * PAGE_SIZE, MADV_UNMERGEABLE);
    mm.close();
    child.close();
    hmm.ksmScan();
    grandchild.close();
    gpu.devmem.close();
  },
  "sparse tables"(hmm) {
    const mm = hmm.createMm();
    for (let i = 1; i < 12; i++) {
      const addr = mm.mmap({ length: PAGE_SIZE, addr: i * 2 ** 41, flags: 0x32 });
      mm.write(addr, pattern(1));
    }
    mm.munmap(2 ** 41, 4 * 2 ** 41);
    mm.close();
  },
  "a family, closed from the oldest on"(hmm) {
    for (const mm of family(hmm)) mm.close();
  },
  "a family, closed from the youngest on"(hmm) {
    for (const mm of family(hmm).reverse()) mm.close();
  },
  "a family, closed crosswise"(hmm) {
    const [first, second, third, fourth] = family(hmm);
    for (const mm of [second, fourth, first, third]) mm.close();
  },
  "memory cgroups"(hmm) {
    const memcg = new Memcg({ limit: 6 });
    const mm = hmm.createMm({ memcg });
    const addr = mm.mmap({ length: 16 * PAGE_SIZE });
    errorOf(() => mm.write(addr, pattern(16)));
    assert.is(memcg.usage, 6);
    mm.close();
    memcg.close();
  },
  "arrays, closed in another order"(hmm) {
    const arrays = [5, 1000, 1, 77, 4096, 3].map((n) =>
      n % 2 === 0 ? hmm.pfnArray(n) : hmm.addressArray(n),
    );
    for (const at of [3, 0, 5, 1, 4, 2]) arrays[at].close();
  },
  "pins that outlive their address space"(hmm) {
    const { mm, addr } = populated(hmm, 8);
    const pins = [mm.pin(addr, 8), mm.pin(addr, 3, { write: true })];
    const child = mm.fork();
    pins.push(child.pin(addr, 2));
    mm.close();
    child.close();
    for (const pin of pins) pin.close();
  },
};

const devices: Record<string, Scenario> = {
  "an address space that ends with pages on the device"(hmm) {
    const { mm, addr, end } = populated(hmm, 16);
    const gpu = new TestGpu(mm);
    assert.is(gpu.toDevice(addr, end).moved, 16);
    mm.read(addr, 3 * PAGE_SIZE);
    const child = mm.fork();
    mm.close();
    assert.is(gpu.released, 1);
    child.close();
    gpu.devmem.close();
  },
  "a device that goes while its pages are in use"(hmm) {
    const { mm, addr, end } = populated(hmm, 16);
    const gpu = new TestGpu(mm);
    gpu.toDevice(addr, end);
    const child = mm.fork();
    gpu.devmem.close();
    gpu.table.close();
    gpu.mirror.close();
    assert.equal(child.read(addr, 16 * PAGE_SIZE), pattern(16));
    child.close();
    mm.close();
  },
  "mirrors, notifiers and tables"(hmm) {
    const { mm, addr } = populated(hmm, 4);
    const mirrors = Array.from({ length: 5 }, () => new HmmMirror({ update: () => undefined }));
    for (const mirror of mirrors) hmmMirrorRegister(mirror, mm);
    mirrors[2].close();
    const notifiers = [0, 1, 2].map(
      (i) => new MmuIntervalNotifier(mm, addr, i + 1, { invalidate: () => undefined }),
    );
    notifiers[1].close();
    const tables = [new DeviceTable(mm), new DeviceTable(mm), new DeviceTable(hmm)];
    using pfns = hmm.pfnArray(4);
    const range = new HmmRange();
    {
      using _sem = mm.mmapSem.read();
      assert.is(hmmVmaFault(mm.findVma(addr), range, addr, addr + 4 * PAGE_SIZE, pfns, true, false), 0);
      assert.ok(hmmVmaRangeDone(mm.findVma(addr), range));
    }
    for (const table of tables) table.map(addr, pfns);
    tables[0].close();
    mm.close();
    tables[2].close();
  },
  "the reference driver"(hmm) {
    const { mm, addr } = populated(hmm, 8);
    const device = new DmirrorDevice(hmm, { memory: 2 << 20 });
    const mirror = new Dmirror(mm, { device });
    assert.is(mirror.migrateToDevice(addr, 8).ret, 0);
    mirror.write(addr, pattern(4, 5));
    assert.is(mirror.migrateToSystem(addr, 4).ret, 0);
    const alone = new Dmirror(mm, { deviceMemory: 2 << 20 });
    assert.is(alone.migrateToDevice(addr, 2).ret, 0);
    alone.close();
    mirror.close();
    mm.close();
    device.close();
  },
  "copies that finish later, or never"(hmm) {
    return delayed(hmm);
  },
  "pages lent to a device"(hmm) {
    const { mm, addr } = populated(hmm, 8);
    using sem = mm.mmapSem.read();
    const lent = makeDeviceExclusive(mm, addr, 8);
    const again = errorOf(() => makeDeviceExclusive(mm, addr, 2));
    assert.ok(again === undefined || /EAGAIN/.test(String(again)), String(again));
    lent.close();
    sem.close();
    mm.write(addr, pattern(4));
    mm.close();
  },
};

async function delayed(hmm: Hmm): Promise<void> {
  const { mm, addr, end } = populated(hmm, 8);
  const device = new DelayedDevice(hmm, { memory: 2 << 20 });
  const move = async (): Promise<void> => {
    using _sem = await mm.mmapSem.readAsync();
    using m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end });
    device.devmem.allocPages(m.src, m.dst);
    await device.dma(m.src, m.dst);
    m.pages();
  };
  const lost = move();
  await device.until(1);
  device.fail();
  await rejectionOf(() => lost);
  await device.settle(move());
  await device.settle(Promise.all([mm.readAsync(addr, 8 * PAGE_SIZE), mm.readAsync(addr, PAGE_SIZE)]));
  mm.close();
  device.close();
}

const migrations: Record<string, Scenario> = {
  "migrations that end early"(hmm) {
    const { mm, addr, end } = populated(hmm, 8);
    const devmem = hmmDevmemAdd(hmm, { fault: () => undefined }, {}, 2 << 20);
    setup(mm, addr, end).close();
    const allocated = setup(mm, addr, end);
    devmem.allocPages(allocated.src, allocated.dst);
    allocated.close();
    const copied = setup(mm, addr, end);
    devmem.allocPages(copied.src, copied.dst);
    hmm.copyPages(copied.src, copied.dst);
    copied.finalize();
    const half = setup(mm, addr, end);
    half.dst[3] = (devmem.allocPage() | 0x80000000) >>> 0;
    {
      using _sem = mm.mmapSem.read();
      half.pages();
    }
    half.close();
    assert.is(devmem.usedPages, 1);
    mm.close();
    devmem.close();
  },
  "a fork, and the parent's end, while a migration is open"(hmm) {
    const { mm, addr, end } = populated(hmm, 8);
    const devmem = hmmDevmemAdd(hmm, { fault: () => undefined }, {}, 2 << 20);
    const m = setup(mm, addr, end);
    const child = mm.fork();
    mm.munmap(addr, 2 * PAGE_SIZE);
    assert.match(String(errorOf(() => mm.close())), /EBUSY/);
    devmem.allocPages(m.src, m.dst);
    hmm.copyPages(m.src, m.dst);
    {
      using _sem = mm.mmapSem.read();
      m.pages();
    }
    m.close();
    mm.close();
    child.close();
    devmem.close();
  },
  "coherent device pages, shared, copied and pinned"(hmm) {
    const { mm, addr } = populated(hmm, 8);
    const device = new DmirrorDevice(hmm, { memory: 2 << 20, coherent: true });
    const mirror = new Dmirror(mm, { device });
    mirror.migrateToDevice(addr, 8);
    const child = mm.fork();
    child.write(addr, pattern(2, 1));
    mm.pin(addr, 3, { longTerm: true }).close();
    mm.munmap(addr + 4 * PAGE_SIZE, 2 * PAGE_SIZE);
    mirror.close();
    device.close();
    mm.close();
    child.close();
  },
  "device pages moved as a range"(hmm) {
    const { mm, addr, end } = populated(hmm, 8);
    const gpu = new TestGpu(mm, 2 << 20);
    gpu.toDevice(addr, end);
    const child = mm.fork();
    const m = migrateDeviceRange(gpu.devmem, gpu.devmem.pfnFirst, 4);
    hmm.allocPages(m.src, m.dst);
    hmm.copyPages(m.src, m.dst);
    m.pages();
    m.close();
    migrateDeviceRange(gpu.devmem, gpu.devmem.pfnFirst, 8).close();
    mm.close();
    child.close();
    gpu.devmem.close();
  },
  "everything open, and hmm.close()"(hmm) {
    const { mm, addr, end } = populated(hmm, 8);
    const gpu = new TestGpu(mm, 2 << 20);
    gpu.toDevice(addr, addr + 4 * PAGE_SIZE);
    mm.fork();
    setup(mm, addr + 4 * PAGE_SIZE, end);
    hmm.pfnArray(10);
    hmm.createMm({ memcg: new Memcg() });
    new DeviceTable(hmm);
    hmm.close();
  },
};

export const scenarios: Record<string, Scenario> = { ...mappings, ...devices, ...migrations, ...broken };
