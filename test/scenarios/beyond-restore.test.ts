/** What a migration keeps, selects and restores, beyond the kernel's own tests: scenarios E52 to E64. */
import * as assert from "uvu/assert";
import { PTE_DIRTY } from "../../assembly/uapi/pte.ts";
import {
  MADV_DONTNEED,
  MADV_FREE,
  MADV_PAGEOUT,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  migratePfnToPage,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateDeviceRange,
  migrateVmaSetup,
  PROT_READ,
  REASON_FREE_PAGE,
  REASON_LOCKED,
  REASON_NOT_SELECTED,
  REASON_REFERENCED,
  VM_LOCKED,
} from "../../src/index.ts";
import { Beyond, codeOf, entries, entry, filled, flagsOf, holds, P, pfnAt, times } from "./beyond.ts";

const scenarios = new Beyond();
const scenario = scenarios.add;

scenario(
  "E52 a stray reference appears between setup and pages: the page is restored",
  ({ hmm, mm, gpu }) => {
    const addr = filled(mm, 2);
    const before = mm.lookupPte(addr);
    using _sem = mm.mmapSem.read();
    const m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + 2 * P, owner: gpu });
    gpu.devmem.allocPages(m.src, m.dst);
    hmm.copyPages(m.src, m.dst);
    hmm.pageGet(before!.pfn);
    assert.is(m.pages(), 1);
    assert.is(m.src[0] & MIGRATE_PFN_MIGRATE, 0);
    m.finalize();
    assert.is(m.reasons[0], REASON_REFERENCED);
    assert.equal(mm.lookupPte(addr), before);
    assert.is(gpu.freed.length, 1, "its destination is free again");
    hmm.pagePut(before!.pfn);
    holds(mm, addr, 2);
  },
);

scenario(
  "E53 a page collected writable is restored into a mapping that is now read-only",
  ({ hmm, mm, gpu }) => {
    const addr = filled(mm, 2);
    const sem = mm.mmapSem.read();
    const m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + 2 * P, owner: gpu });
    assert.is(
      codeOf(() => mm.mprotect(addr, 2 * P, PROT_READ)),
      "EDEADLK",
      "not while the lock is held",
    );
    gpu.devmem.allocPages(
      m.src.map((word, i) => (i === 0 ? word : 0)),
      m.dst,
    );
    hmm.copyPages(m.src, m.dst);
    assert.is(m.pages(), 1);
    sem.close();
    mm.mprotect(addr, 2 * P, PROT_READ);
    assert.equal(entries(mm, addr, 2), ["migration", "migration"]);
    m.finalize();
    assert.equal(entries(mm, addr, 2), ["device", "present"]);
    assert.is(
      codeOf(() => mm.store32(addr + P, 1)),
      "EFAULT",
    );
    holds(mm, addr, 2);
  },
);

scenario("E54 a page of a locked mapping migrates and is locked after it comes back", ({ mm, gpu }) => {
  const addr = filled(mm, 2);
  mm.mlock(addr, 2 * P);
  const locked = (): void => {
    assert.is(mm.findVma(addr)!.flags & VM_LOCKED, VM_LOCKED);
    assert.equal([...mm.mincore(addr, 2 * P)], [1, 1]);
    for (const advice of [MADV_DONTNEED, MADV_FREE, MADV_PAGEOUT]) {
      assert.is(
        codeOf(() => mm.madvise(addr, P, advice)),
        "EINVAL",
      );
    }
  };
  locked();
  assert.is(gpu.toDevice(addr, addr + 2 * P).moved, 2);
  assert.equal(entries(mm, addr, 2), ["device w", "device w"]);
  locked();
  holds(mm, addr, 2);
  assert.equal(entries(mm, addr, 2), ["present w", "present w"]);
  locked();
  mm.munlock(addr, 2 * P);
  mm.madvise(addr, P, MADV_DONTNEED);
  assert.is(entry(mm, addr), "none");
});

scenario("E56 a page that the CPU wrote is dirty when it comes back from the device", ({ hmm, mm, gpu }) => {
  const addr = filled(mm, 2);
  assert.is.not(mm.lookupPte(addr)!.flags & PTE_DIRTY, 0);
  assert.is(gpu.toDevice(addr, addr + 2 * P).moved, 2);
  assert.ok(flagsOf(hmm, pfnAt(mm, addr)).includes("dirty"), "the device's page");
  mm.load32(addr);
  assert.is(entry(mm, addr), "present w");
  assert.ok(flagsOf(hmm, pfnAt(mm, addr)).includes("dirty"));
  // The migration is given up: the entry is still dirty.
  {
    using _sem = mm.mmapSem.read();
    using _m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + P, owner: gpu });
  }
  assert.ok(flagsOf(hmm, pfnAt(mm, addr)).includes("dirty"));
});

scenario("E57 the pages that each selection collects from a mixed range", ({ mm, gpu }) => {
  const addr = mm.mmap({ length: 6 * P });
  for (const i of [0, 1, 2, 3]) mm.store32(addr + i * P, i);
  gpu.toDevice(addr + 2 * P, addr + 4 * P);
  mm.load32(addr + 4 * P);
  const before = entries(mm, addr, 6);
  assert.equal(before, ["present w", "present w", "device w", "device w", "zero", "none"]);
  using _sem = mm.mmapSem.read();
  const collect = (select: number): { kinds: string[]; reasons: number[]; during: string[] } => {
    const range = { vma: mm.findVma(addr), start: addr, end: addr + 6 * P };
    using m = migrateVmaSetup({ ...range, owner: gpu, select });
    const kinds = [...m.src].map((word) => {
      if (word === 0) return "0";
      assert.is.not(word & MIGRATE_PFN_MIGRATE, 0);
      return (word & MIGRATE_PFN_VALID) !== 0 ? "page" : "hole";
    });
    return { kinds, reasons: [...m.reasons], during: entries(mm, addr, 6) };
  };
  const N = REASON_NOT_SELECTED;
  const device = collect(MIGRATE_VMA_SELECT_DEVICE_PRIVATE);
  assert.equal(device.kinds, ["0", "0", "page", "page", "0", "hole"]);
  assert.equal(device.reasons, [N, N, 0, 0, N, 0]);
  assert.equal(device.during, ["present w", "present w", "migration w", "migration w", "zero", "none"]);
  const system = collect(MIGRATE_VMA_SELECT_SYSTEM);
  assert.equal(system.kinds, ["page", "page", "0", "0", "hole", "hole"]);
  assert.equal(system.reasons, [0, 0, N, N, 0, 0]);
  assert.equal(system.during, ["migration w", "migration w", "device w", "device w", "zero", "none"]);
  const both = collect(MIGRATE_VMA_SELECT_DEVICE_PRIVATE | MIGRATE_VMA_SELECT_SYSTEM);
  assert.equal(both.kinds, ["page", "page", "page", "page", "hole", "hole"]);
  assert.equal(entries(mm, addr, 6), before);
});

scenario("E58 device to device within one owner", ({ hmm, mm, gpu }) => {
  const addr = filled(mm, 2);
  gpu.toDevice(addr, addr + 2 * P);
  const old = [pfnAt(mm, addr), pfnAt(mm, addr + P)];
  const select = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
  {
    using _sem = mm.mmapSem.read();
    const vma = mm.findVma(addr);
    using m = migrateVmaSetup({ vma, start: addr, end: addr + 2 * P, owner: gpu, select });
    assert.equal([...m.src].map(migratePfnToPage), old);
    assert.equal(entries(mm, addr, 2), ["migration w", "migration w"]);
    gpu.devmem.allocPages(m.src, m.dst);
    hmm.copyPages(m.src, m.dst);
    assert.is(m.pages(), 2);
    gpu.table.mapMigrated(m);
    assert.equal(gpu.freed, []);
  }
  assert.equal(entries(mm, addr, 2), ["device w", "device w"]);
  const now = [pfnAt(mm, addr), pfnAt(mm, addr + P)];
  assert.ok(now.every((pfn) => !old.includes(pfn)));
  assert.equal(gpu.freed, old, "each once");
  assert.is(gpu.devmem.usedPages, 2);
  assert.is(hmm.stats.pagesDeviceToDevice, 2);
  assert.is(gpu.faults, 0);
  holds(mm, addr, 2);
});

scenario("E62 migrate_device_range over free, used, locked and pinned pages of two mms", (world) => {
  const { hmm, memcg, mm, gpu } = world;
  const other = hmm.createMm({ memcg });
  const addr = filled(mm, 4);
  const theirs = filled(other, 2, 51);
  gpu.toDevice(addr, addr + 4 * P);
  {
    using _sem = other.mmapSem.read();
    const vma = other.findVma(theirs);
    using m = migrateVmaSetup({ vma, start: theirs, end: theirs + 2 * P, owner: gpu });
    gpu.devmem.allocPages(m.src, m.dst);
    hmm.copyPages(m.src, m.dst);
    assert.is(m.pages(), 2);
  }
  const first = pfnAt(mm, addr);
  const [locked, pinned] = [pfnAt(mm, addr + P), pfnAt(mm, addr + 2 * P)];
  hmm.pageLock(locked);
  hmm.pageGet(pinned);
  const m = migrateDeviceRange(gpu.devmem, first, 8);
  const slot = (pfn: number): number => pfn - first;
  assert.is(m.src[slot(locked)], 0);
  assert.equal([m.src[6], m.src[7]], [0, 0], "free pages");
  hmm.pageUnlock(locked);
  hmm.allocPages(m.src, m.dst);
  hmm.copyPages(m.src, m.dst);
  assert.is(m.pages(), 4, "of both processes");
  m.finalize();
  assert.equal(
    [...m.reasons],
    [0, REASON_LOCKED, REASON_REFERENCED, 0, 0, 0, REASON_FREE_PAGE, REASON_FREE_PAGE],
  );
  assert.equal(entries(mm, addr, 4), ["present w", "device w", "device w", "present w"]);
  assert.equal(entries(other, theirs, 2), ["present w", "present w"]);
  hmm.pagePut(pinned);
  assert.is(gpu.devmem.usedPages, 2);
  assert.is(gpu.faults, 0);
  holds(mm, addr, 4);
  holds(other, theirs, 2, 51);
});

scenario(
  "E64 finalize right after setup, without destinations or pages(): everything is unchanged",
  ({ mm, gpu }) => {
    const addr = filled(mm, 6);
    gpu.toDevice(addr, addr + 2 * P);
    mm.mprotect(addr + 4 * P, 2 * P, PROT_READ);
    mm.fork().close();
    const before = times(6, 0).map((_, i) => mm.lookupPte(addr + i * P));
    const rss = mm.rss;
    const select = MIGRATE_VMA_SELECT_DEVICE_PRIVATE | MIGRATE_VMA_SELECT_SYSTEM;
    for (const [from, to] of [
      [0, 4],
      [4, 6],
    ]) {
      using _sem = mm.mmapSem.read();
      const range = { start: addr + from * P, end: addr + to * P };
      const m = migrateVmaSetup({ vma: mm.findVma(range.start), ...range, owner: gpu, select });
      assert.is(m.cpages, to - from);
      m.finalize();
      assert.is(m.result.moved, 0);
    }
    assert.equal(
      before.map((_, i) => mm.lookupPte(addr + i * P)),
      before,
    );
    assert.equal(mm.rss, rss);
    assert.equal(gpu.freed, []);
    holds(mm, addr, 6);
  },
);

scenarios.run("beyond: restored pages");
