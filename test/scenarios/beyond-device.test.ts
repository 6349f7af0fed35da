/** CPU faults on device pages, beyond the kernel's own tests: scenarios E65 to E71. */
import * as assert from "uvu/assert";
import {
  FAULT_LOOP,
  FAULT_OOM,
  FAULT_SIGBUS,
  migratePfn,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  migrateVmaSetup,
  PROT_NONE,
  VM_FAULT_OOM,
  VM_FAULT_SIGBUS,
  type HmmError,
  type Vma,
} from "../../src/index.ts";
import { DelayedDevice } from "../../src/testing.ts";
import { errorOf } from "../util/driver.ts";
import { Beyond, entries, entry, filled, holds, P, page, pfnAt, times, type World } from "./beyond.ts";

const scenarios = new Beyond();
const scenario = scenarios.add;

scenario("E65 the driver answers 0 and moves nothing: the engine reports a loop", ({ mm, gpu }) => {
  const addr = filled(mm, 2);
  gpu.toDevice(addr, addr + 2 * P);
  gpu.onFault = () => 0;
  for (const access of [() => mm.load32(addr), () => mm.read(addr, P), () => mm.store32(addr, 1)]) {
    const error = errorOf(access) as HmmError;
    assert.equal([error.code, error.faultCode, error.address], ["ELOOP", FAULT_LOOP, addr]);
  }
  assert.equal(entries(mm, addr, 2), ["device w", "device w"]);
  gpu.onFault = null;
  holds(mm, addr, 2);
});

scenario("E66 sixteen accesses to one device page: one migration, the others wait", async ({ hmm, mm }) => {
  const device = new DelayedDevice(hmm, { memory: 1 << 21, synchronousFaults: "sigbus" });
  const addr = filled(mm, 1);
  {
    using _sem = mm.mmapSem.read();
    using m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + P, owner: device });
    device.devmem.allocPages(m.src, m.dst);
    hmm.copyPages(m.src, m.dst);
    assert.is(m.pages(), 1);
  }
  const { migrations, pagesStayed } = hmm.stats;
  const reads = Promise.all(Array.from({ length: 16 }, () => mm.readAsync(addr, P)));
  await device.until(1);
  assert.is(device.pending.length, 1);
  assert.is(entry(mm, addr), "migration w");
  device.finish();
  assert.equal(await reads, times(16, page(1)));
  assert.equal(device.finished, [1]);
  assert.is(device.freed, 1);
  assert.is(hmm.stats.migrations, migrations + 1);
  assert.is(hmm.stats.pagesStayed, pagesStayed, "no page was dropped for somebody's reference");
  assert.is(mm.mmapSem.mode, "free");
});

scenario("E67 SIGBUS goes to the process that touched the page; the entry stays", ({ mm, gpu }) => {
  const addr = filled(mm, 2);
  gpu.toDevice(addr, addr + 2 * P);
  const child = mm.fork();
  const before = mm.lookupPte(addr);
  gpu.onFault = (vma) => (vma.mm === mm ? VM_FAULT_SIGBUS : gpu.toSystem(vma, addr, addr + P).moved - 1);
  const error = errorOf(() => mm.read(addr, 2 * P)) as HmmError;
  assert.equal([error.code, error.faultCode, error.address, error.done], ["EFAULT", FAULT_SIGBUS, addr, 0]);
  assert.equal(mm.lookupPte(addr), before);
  assert.is(gpu.devmem.usedPages, 2);
  holds(child, addr, 1);
  holds(mm, addr, 1);
  gpu.onFault = null;
  holds(mm, addr, 2);
});

scenario("E68 no system page to bring the page back to: out of memory, and nothing is lost", (world) => {
  const { mm, gpu } = world;
  const addr = filled(mm, 2);
  gpu.toDevice(addr, addr + 2 * P);
  gpu.onFault = bringAround(world, 1, 1);
  const error = errorOf(() => mm.load32(addr)) as HmmError;
  assert.equal([error.code, error.faultCode], ["ENOMEM", FAULT_OOM]);
  assert.equal(entries(mm, addr, 2), ["device w", "device w"]);
  assert.is(mm.rss.anon, 2);
  holds(mm, addr, 2);
});

/**
 * A driver that brings back `npages` pages around the faulting page: the faulting page first, then as many as
 * memory allows. The first time, the allocation of page number `fail` fails.
 */
function bringAround({ hmm }: World, npages: number, fail = 0): (vma: Vma, address: number) => number {
  return (vma, address) => {
    const start = Math.max(vma.start, address - (address % (npages * P)));
    const end = Math.min(vma.end, start + npages * P);
    using m = migrateVmaSetup({ vma, start, end });
    hmm.failAllocation(fail);
    fail = 0;
    const favourite = hmm.allocPage();
    if (favourite === 0) return VM_FAULT_OOM;
    m.dst[(address - start) / P] = migratePfn(favourite);
    hmm.allocPages(m.src, m.dst);
    hmm.copyPages(m.src, m.dst);
    m.pages();
    return 0;
  };
}

scenario(
  "E69 one fault brings 64 neighbors back; the faulting page comes back even if others cannot",
  (world) => {
    const { mm, gpu } = world;
    // A multiple of 64 pages, so that the driver's window is the mapping.
    const addr = mm.mmap({ addr: 0x40000000, length: 64 * P });
    for (let i = 0; i < 64; i++) mm.write(addr + i * P, page(i + 1));
    gpu.onFault = bringAround(world, 64);
    gpu.toDevice(addr, addr + 64 * P);
    mm.load32(addr + 20 * P);
    assert.is(gpu.faults, 1);
    assert.equal(entries(mm, addr, 64), times(64, "present w"));
    assert.is(gpu.devmem.usedPages, 0);
    holds(mm, addr, 64);
    assert.is(gpu.faults, 1);
    gpu.toDevice(addr, addr + 64 * P);
    gpu.onFault = bringAround(world, 64, 5);
    assert.is(mm.load32(addr + 20 * P), 0x15151515);
    assert.is(gpu.faults, 2);
    assert.equal(
      entries(mm, addr, 64),
      times(64, "").map((_, i) => (i < 3 || i === 20 ? "present w" : "device w")),
      "the faulting page and three more",
    );
    holds(mm, addr, 64);
  },
);

scenario("E70 get_user_pages, a debugger and a core dump bring pages back", ({ hmm, mm, gpu }) => {
  const addr = filled(mm, 4);
  gpu.toDevice(addr, addr + 4 * P);
  {
    using pin = mm.pin(addr, 1, { write: true });
    assert.is(pin.pages[0], pfnAt(mm, addr));
    assert.not(hmm.isDevicePage(pin.pages[0]));
  }
  assert.equal(mm.read(addr + P, P, { kernel: true }), page(2));
  mm.mprotect(addr, 4 * P, PROT_NONE);
  assert.equal(mm.read(addr + 2 * P, P, { force: true }), page(3));
  mm.write(addr + 3 * P, page(9), { force: true });
  assert.is(gpu.faults, 4);
  assert.is(gpu.devmem.usedPages, 0);
  assert.equal(mm.read(addr + 3 * P, P, { force: true }), page(9));
});

scenario(
  "E71 the last mapping goes: free runs once, for all mappings, after a migration",
  ({ hmm, mm, gpu }) => {
    const addr = filled(mm, 3);
    gpu.toDevice(addr, addr + 3 * P);
    const [alone, shared, moving] = [0, 1, 2].map((i) => pfnAt(mm, addr + i * P));
    mm.munmap(addr, P);
    assert.equal(gpu.freed, [alone]);
    const child = mm.fork();
    mm.munmap(addr + P, P);
    assert.equal(gpu.freed, [alone]);
    child.munmap(addr + P, P);
    assert.equal(gpu.freed, [alone, shared]);
    child.close();
    assert.equal(gpu.freed, [alone, shared]);
    const sem = mm.mmapSem.read();
    const vma = mm.findVma(addr + 2 * P);
    const select = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
    const m = migrateVmaSetup({ vma, start: addr + 2 * P, end: addr + 3 * P, owner: gpu, select });
    hmm.allocPages(m.src, m.dst);
    hmm.copyPages(m.src, m.dst);
    assert.is(m.pages(), 1);
    sem.close();
    mm.munmap(addr + 2 * P, P);
    assert.is(mm.rss.anon, 0);
    assert.equal(gpu.freed, [alone, shared], "the migration still has it");
    m.finalize();
    assert.equal(gpu.freed, [alone, shared, moving]);
  },
);

scenarios.run("beyond: device faults");
