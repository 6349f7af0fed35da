import * as assert from "uvu/assert";
import {
  Hmm,
  hmmDevmemAdd,
  type HmmError,
  HMM_PFN_REQ_FAULT,
  hmmPfnToPage,
  hmmPfnValid,
  hmmRangeFault,
  MADV_PAGEOUT,
  Memcg,
  migrateDeviceRange,
  migrateVmaSetup,
  MIGRATE_VMA_SELECT_DEVICE_COHERENT,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  PAGE_SIZE,
  PROT_READ,
  REASON_NOT_SELECTED,
  REASON_OTHER_OWNER,
  type Migration,
  type Mm,
} from "../../../src/index.ts";
import { Dmirror, DmirrorDevice } from "../../../src/dmirror.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf } from "../../util/driver.ts";

const MIB = 1 << 20;
const filled = (value: number): Uint8Array => new Uint8Array(PAGE_SIZE).fill(value);
const byteAt = (mm: Mm, addr: number): number => mm.read(addr, 1)[0];
const pageAt = (mm: Mm, addr: number): number => mm.lookupPte(addr)!.pfn;

interface Coherent {
  hmm: Hmm;
  mm: Mm;
  device: DmirrorDevice;
  mirror: Dmirror;
  memcg: Memcg;
}

function written(mm: Mm, npages: number): number {
  const addr = mm.mmap({ length: npages * PAGE_SIZE });
  for (let i = 0; i < npages; i++) mm.write(addr + i * PAGE_SIZE, filled(i + 1));
  return addr;
}

function setup(mm: Mm, addr: number, npages: number, select: number, owner: unknown): Migration {
  using _sem = mm.mmapSem.read();
  return migrateVmaSetup({
    vma: mm.findVma(addr),
    start: addr,
    end: addr + npages * PAGE_SIZE,
    select,
    owner,
  });
}

onEachBuild("coherent", (test, module) => {
  function make(): Coherent {
    const hmm = Hmm.createSync(module, { systemMemory: 8 * MIB, deviceMemory: 8 * MIB, swap: MIB });
    const memcg = new Memcg();
    const mm = hmm.createMm({ memcg });
    const device = new DmirrorDevice(hmm, { memory: 2 * MIB, coherent: true });
    return { hmm, mm, device, mirror: new Dmirror(mm, { device }), memcg };
  }

  function end({ hmm, device, memcg }: Coherent): void {
    hmm.verify();
    for (const mm of hmm.mms()) mm.close();
    assert.is(device.devmem.usedPages, 0);
    assert.is(memcg.usage, 0);
    device.close();
    hmm.verify();
    hmm.close();
  }

  test("the CPU reads and writes the device's pages in place, and the device sees the writes", () => {
    const world = make();
    const { hmm, mm, device, mirror, memcg } = world;
    assert.is(device.devmem.coherent, true);
    const addr = written(mm, 4);
    const charged = memcg.usage;
    assert.is(mirror.migrateToDevice(addr, 4).ret, 0);
    const { faults } = hmm.stats;
    for (let i = 0; i < 4; i++) {
      const page = pageAt(mm, addr + i * PAGE_SIZE);
      assert.is(hmm.pageDevmem(page), device.devmem);
      assert.is(byteAt(mm, addr + i * PAGE_SIZE), i + 1);
    }
    mm.store32(addr, 0x09090909);
    assert.equal(hmm.stats.faults, faults, "not one fault");
    assert.is(mirror.read(addr, 1).data![0], 9);
    assert.equal([mm.rss.anon, memcg.usage, device.devmem.usedPages], [4, charged, 4]);
    mm.mprotect(addr, PAGE_SIZE, PROT_READ);
    assert.is(byteAt(mm, addr), 9);
    mm.madvise(addr, 4 * PAGE_SIZE, MADV_PAGEOUT);
    assert.is(mm.rss.swap, 0, "device pages are not paged out");
    end(world);
  });

  test("hmmRangeFault reports coherent pages like any present page, to other owners too", () => {
    const world = make();
    const { hmm, mm, mirror } = world;
    const addr = written(mm, 2);
    mirror.migrateToDevice(addr, 2);
    for (const owner of [world.device, "somebody else"]) {
      const pfns = new Uint32Array(2);
      using _sem = mm.mmapSem.read();
      const args = { mm, start: addr, end: addr + 2 * PAGE_SIZE, pfns, owner };
      assert.is(hmmRangeFault({ ...args, defaultFlags: HMM_PFN_REQ_FAULT }), 0);
      for (const [i, pfn] of pfns.entries()) {
        assert.ok(hmmPfnValid(pfn));
        assert.is(hmmPfnToPage(pfn), pageAt(mm, addr + i * PAGE_SIZE));
        assert.ok(hmm.isDevicePage(hmmPfnToPage(pfn)));
      }
    }
    end(world);
  });

  test("holes are filled with coherent pages, read-only where the mapping is", () => {
    const world = make();
    const { hmm, mm, device, mirror } = world;
    const addr = mm.mmap({ length: 2 * PAGE_SIZE });
    const readOnly = mm.mmap({ length: PAGE_SIZE, prot: PROT_READ });
    assert.is(mirror.migrateToDevice(addr, 2).ret, 0);
    assert.is(mirror.migrateToDevice(readOnly, 1).ret, 0);
    assert.is(device.devmem.usedPages, 3);
    mm.write(addr, filled(7));
    assert.is(device.devmem.usedPages, 3);
    assert.is(mirror.read(addr, 2).data![0], 7);
    assert.is((errorOf(() => mm.store32(readOnly, 1)) as HmmError).code, "EFAULT");
    hmm.verify();
    end(world);
  });

  test("only SELECT_DEVICE_COHERENT with their owner collects coherent pages", () => {
    const world = make();
    const { hmm, mm, device, mirror } = world;
    const addr = written(mm, 1);
    mirror.migrateToDevice(addr, 1);
    const page = pageAt(mm, addr);
    const tries: [select: number, owner: unknown, reason: number | null][] = [
      [MIGRATE_VMA_SELECT_SYSTEM, device, REASON_NOT_SELECTED],
      [MIGRATE_VMA_SELECT_DEVICE_PRIVATE, device, REASON_NOT_SELECTED],
      [MIGRATE_VMA_SELECT_DEVICE_COHERENT, "somebody else", REASON_OTHER_OWNER],
      [MIGRATE_VMA_SELECT_DEVICE_COHERENT, device, null],
    ];
    for (const [select, owner, reason] of tries) {
      const m = setup(mm, addr, 1, select, owner);
      assert.is(m.cpages, reason === null ? 1 : 0);
      m.close();
      if (reason !== null) assert.is(m.result.reasons[0], reason);
      assert.is(pageAt(mm, addr), page, "as it was");
      hmm.verify();
    }
    assert.equal([mirror.migrateToSystem(addr, 1).cpages, device.devmem.usedPages], [1, 0]);
    assert.is(byteAt(mm, addr), 1);
    end(world);
  });

  test("fork shares coherent pages; a write copies to system memory, the last owner writes in place", () => {
    const world = make();
    const { mm, device, mirror } = world;
    const addr = written(mm, 2);
    mirror.migrateToDevice(addr, 2);
    const child = mm.fork();
    child.write(addr, filled(9));
    assert.is(device.devmem.usedPages, 2);
    assert.is(world.hmm.pageDevmem(pageAt(child, addr)), null);
    const page = pageAt(mm, addr);
    mm.write(addr, filled(8));
    assert.is(pageAt(mm, addr), page, "the parent's alone now");
    assert.equal([byteAt(mm, addr), byteAt(child, addr), byteAt(child, addr + PAGE_SIZE)], [8, 9, 2]);
    // A device write to a shared page makes a copy too.
    assert.is(mirror.write(addr + PAGE_SIZE, filled(7)).ret, 0);
    assert.equal([byteAt(mm, addr + PAGE_SIZE), byteAt(child, addr + PAGE_SIZE)], [7, 2]);
    mirror.close();
    end(world);
  });

  test("a page that several processes share moves for all of them, both ways", () => {
    const world = make();
    const { hmm, mm, device, mirror } = world;
    const addr = written(mm, 2);
    const child = mm.fork();
    assert.is(mirror.migrateToDevice(addr, 2).ret, 0);
    hmm.verify();
    assert.is(pageAt(mm, addr), pageAt(child, addr));
    assert.is(hmm.pageDevmem(pageAt(child, addr)), device.devmem);
    assert.is(device.evict(), 2);
    hmm.verify();
    assert.equal([byteAt(mm, addr), byteAt(child, addr + PAGE_SIZE)], [1, 2]);
    assert.is(hmm.pageDevmem(pageAt(child, addr)), null);
    end(world);
  });

  test("closing the devmem brings every page back; pinned pages keep it open", () => {
    const world = make();
    const { hmm, mm, device, mirror } = world;
    const addr = written(mm, 3);
    mirror.migrateToDevice(addr, 3);
    const pin = mm.pin(addr, 1);
    assert.match(errorOf(() => device.close())!.message, /EBUSY/);
    hmm.verify();
    assert.is(device.devmem.usedPages, 1);
    assert.equal(
      [1, 2, 3],
      [0, 1, 2].map((i) => byteAt(mm, addr + i * PAGE_SIZE)),
    );
    pin.close();
    end(world);
  });

  test("a long-term pin first moves coherent pages away, and throws if it cannot", () => {
    const world = make();
    const { hmm, mm, device, mirror } = world;
    const addr = written(mm, 3);
    mirror.migrateToDevice(addr, 3);
    const short = mm.pin(addr, 1);
    assert.is(hmm.pageDevmem(short.pages[0]), device.devmem);
    const error = errorOf(() => mm.pin(addr, 3, { longTerm: true })) as HmmError;
    assert.is(error.code, "EBUSY");
    hmm.verify();
    short.close();
    const long = mm.pin(addr, 3, { longTerm: true, write: true });
    assert.equal(
      [...long.pages].map((page) => hmm.pageDevmem(page)),
      [null, null, null],
    );
    assert.is(device.devmem.usedPages, 0);
    assert.equal(
      [1, 2, 3],
      [0, 1, 2].map((i) => byteAt(mm, addr + i * PAGE_SIZE)),
    );
    long.close();
    end(world);
  });

  test("private and coherent memory of one owner: pages move from one to the other", () => {
    const hmm = Hmm.createSync(module, { systemMemory: 4 * MIB, deviceMemory: 8 * MIB });
    const owner = {};
    const ops = { fault: (): number => 0 };
    const secret = hmmDevmemAdd(hmm, ops, owner, 2 * MIB);
    const open = hmmDevmemAdd(hmm, ops, owner, 2 * MIB, { coherent: true });
    assert.equal([secret.coherent, open.coherent], [false, true]);
    const mm = hmm.createMm();
    const addr = written(mm, 4);
    const move = (to: typeof secret, select: number): void => {
      using sem = mm.mmapSem.read();
      const m = setup(mm, addr, 4, select, owner);
      to.allocPages(m.src, m.dst);
      hmm.copyPages(m.src, m.dst);
      assert.is(m.pages(), 4);
      m.close();
      sem.close();
      hmm.verify();
    };
    move(secret, MIGRATE_VMA_SELECT_SYSTEM);
    assert.equal([secret.usedPages, open.usedPages], [4, 0]);
    move(open, MIGRATE_VMA_SELECT_DEVICE_PRIVATE);
    assert.equal([secret.usedPages, open.usedPages], [0, 4]);
    assert.is(byteAt(mm, addr + 3 * PAGE_SIZE), 4);
    move(secret, MIGRATE_VMA_SELECT_DEVICE_COHERENT);
    move(open, MIGRATE_VMA_SELECT_DEVICE_PRIVATE);
    using m = migrateDeviceRange(open, open.pfnFirst, open.npages);
    hmm.allocPages(m.src, m.dst);
    hmm.copyPages(m.src, m.dst);
    assert.is(m.pages(), 4);
    m.close();
    assert.equal(
      [1, 2, 3, 4],
      [0, 1, 2, 3].map((i) => byteAt(mm, addr + i * PAGE_SIZE)),
    );
    mm.close();
    hmm.close();
  });

  test("exclusive access and restored engines handle coherent pages", () => {
    const world = make();
    const { hmm, mm, mirror, device } = world;
    const addr = written(mm, 2);
    mirror.migrateToDevice(addr, 2);
    assert.is(mirror.exclusive(addr, 1).ret, 0);
    hmm.verify();
    assert.is(byteAt(mm, addr), 1);
    hmm.verify();
    mirror.close();
    const ops = { fault: (): number => 0 };
    const again = Hmm.restore(hmm.snapshot(), {
      module,
      devmems: { [device.devmem.id]: { ops, device: {} } },
    });
    assert.is(again.devmems()[0].coherent, true);
    assert.is(byteAt(again.mms()[0], addr + PAGE_SIZE), 2);
    again.verify();
    end(world);
  });
}).run();
