/** Migration of a mapping's pages, beyond the kernel's own tests: scenarios E38 to E51. */
import * as assert from "uvu/assert";
import {
  EINVAL,
  HMM_PFN_WRITE,
  hmmPfnToPage,
  Memcg,
  MIGRATE_PFN_MIGRATE,
  migratePfnToPage,
  migrateVma,
  migrateVmaSetup,
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_MIGRATE,
  PROT_READ,
  REASON_HOLE_FILLED,
  REASON_LOCKED,
  REASON_MEMCG_LIMIT,
  REASON_NO_DESTINATION,
  REASON_PINNED,
  type MigrateResult,
  type Mm,
} from "../../src/index.ts";
import { errorOf } from "../util/driver.ts";
import {
  Beyond,
  codeOf,
  entries,
  entry,
  filled,
  holds,
  listen,
  P,
  pfnAt,
  RW,
  times,
  type World,
} from "./beyond.ts";

const scenarios = new Beyond();
const scenario = scenarios.add;

/** Migrates for a process that may be another than the driver's own. */
function toDevice({ hmm, gpu }: World, mm: Mm, start: number, end: number): MigrateResult {
  using _sem = mm.mmapSem.read();
  using m = migrateVmaSetup({ vma: mm.findVma(start), start, end, owner: gpu });
  gpu.devmem.allocPages(m.src, m.dst);
  hmm.copyPages(m.src, m.dst);
  m.pages();
  return m.result;
}

const nothing = { allocAndCopy: (): void => {}, finalizeAndMap: (): void => {} };

scenario("E38 start and end are rounded down; a range that is then empty is -EINVAL", ({ mm }) => {
  const addr = filled(mm, 4);
  using _sem = mm.mmapSem.read();
  const vma = mm.findVma(addr);
  const range = (start: number, end: number): { ret: number; npages: number } =>
    migrateVma(nothing, { vma, start: addr + start, end: addr + end });
  const { ret, npages } = range(100, 2 * P + 5);
  assert.equal([ret, npages], [0, 2]);
  const empty = [
    [0, 0],
    [10, 20],
    [P + 1, 2 * P - 1],
    [2 * P, P],
    [-P, P],
    [0, 5 * P],
    [4 * P, 5 * P],
  ];
  for (const [start, end] of empty) {
    assert.is(range(start, end).ret, -EINVAL, `${start} to ${end}`);
    assert.is(
      codeOf(() => migrateVmaSetup({ vma, start: addr + start, end: addr + end })),
      "EINVAL",
    );
  }
  assert.is(migrateVma(nothing, { vma: null, start: addr, end: addr + P }).ret, -EINVAL);
  holds(mm, addr, 4);
  _sem.close();
  for (const kind of ["pfn", "mixed"] as const) {
    const special = mm.mmapSpecial(kind, { length: P });
    using _again = mm.mmapSem.read();
    const given = { vma: mm.findVma(special), start: special, end: special + P };
    assert.is(migrateVma(nothing, given).ret, -EINVAL, kind);
    assert.is(
      codeOf(() => migrateVmaSetup(given)),
      "EINVAL",
    );
  }
});

scenario("E39 nothing can move: 0, and neither callback runs", ({ mm }) => {
  const addr = filled(mm, 4);
  const before = entries(mm, addr, 4);
  using pin = mm.pin(addr, 4);
  using _sem = mm.mmapSem.read();
  const called = (): void => assert.unreachable("a callback ran");
  const { ret, cpages, moved, stayed } = migrateVma(
    { allocAndCopy: called, finalizeAndMap: called },
    { vma: mm.findVma(addr), start: addr, end: addr + 4 * P },
  );
  assert.equal([ret, cpages, moved, stayed.length], [0, 0, 0, 4]);
  assert.is(pin.npages, 4);
  assert.equal(entries(mm, addr, 4), before);
});

scenario("E40 one page of sixteen is pinned: its entry is unchanged, the others move", ({ mm, gpu }) => {
  for (const forked of [false, true]) {
    const addr = filled(mm, 16);
    // Its entries stay read-only until the next write.
    if (forked) mm.fork().close();
    assert.is(entry(mm, addr + 5 * P), forked ? "present" : "present w");
    using pin = mm.pin(addr + 5 * P, 1);
    const before = mm.lookupPte(addr + 5 * P);
    const result = gpu.toDevice(addr, addr + 16 * P);
    assert.equal([result.cpages, result.moved], [15, 15]);
    assert.equal(
      result.stayed.map(({ index, reason }) => [index, reason]),
      [[5, REASON_PINNED]],
    );
    assert.equal(mm.lookupPte(addr + 5 * P), before);
    assert.is(before!.pfn, pin.pages[0]);
    assert.is(gpu.table.lookup(addr + 5 * P), 0);
    assert.is(gpu.devmem.usedPages, 15);
    holds(mm, addr, 16);
    assert.is(gpu.devmem.usedPages, 0);
  }
});

scenario("E41 a page locked by another holder is dropped at once, its entry untouched", (world) => {
  const { hmm, mm, gpu } = world;
  const addr = filled(mm, 3);
  const locked = pfnAt(mm, addr + P);
  assert.is(hmm.pageLock(locked), true);
  using _sem = mm.mmapSem.read();
  const m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + 3 * P, owner: gpu });
  assert.equal(entries(mm, addr, 3), ["migration w", "present w", "migration w"]);
  assert.equal([m.cpages, m.src[1], m.reasons[1]], [2, 0, REASON_LOCKED]);
  // The lock is released too late for this migration.
  hmm.pageUnlock(locked);
  gpu.devmem.allocPages(m.src, m.dst);
  hmm.copyPages(m.src, m.dst);
  assert.is(m.pages(), 2);
  m.finalize();
  assert.equal(entries(mm, addr, 3), ["device w", "present w", "device w"]);
  holds(mm, addr, 3);
});

scenario(
  "E43 a page of three processes: migration entries in all three, then read-only device entries",
  (world) => {
    const { hmm, mm, gpu } = world;
    const addr = filled(mm, 2);
    const all = [mm, mm.fork(), mm.fork()];
    const listeners = all.map((each) => listen(each));
    using _sem = mm.mmapSem.read();
    const m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + 2 * P, owner: gpu });
    assert.is(m.cpages, 2);
    for (const each of all) assert.equal(entries(each, addr, 2), ["migration", "migration"]);
    gpu.devmem.allocPages(m.src, m.dst);
    hmm.copyPages(m.src, m.dst);
    m.pages();
    m.finalize();
    const device = [pfnAt(mm, addr), pfnAt(mm, addr + P)];
    for (const each of all) {
      assert.equal(entries(each, addr, 2), ["device", "device"]);
      assert.equal([pfnAt(each, addr), pfnAt(each, addr + P)], device);
      assert.is(each.rss.anon, 2);
    }
    assert.equal(listeners[0].heard[0], { start: addr, end: addr + 2 * P, event: MMU_NOTIFY_MIGRATE });
    const clears = [0, 1].map((i) => ({
      start: addr + i * P,
      end: addr + (i + 1) * P,
      event: MMU_NOTIFY_CLEAR,
    }));
    for (const { heard } of listeners.slice(1)) assert.equal(heard, clears, "a page each, and no MIGRATE");
    for (const each of all) holds(each, addr, 2);
  },
);

scenario("E44 two processes' device page: one CPU fault brings it back for both", (world) => {
  const { hmm, mm, gpu } = world;
  const addr = filled(mm, 2);
  gpu.toDevice(addr, addr + 2 * P);
  const child = mm.fork();
  mm.load32(addr);
  assert.is(gpu.faults, 1);
  for (const each of [mm, child]) assert.equal(entries(each, addr, 2), ["present", "device"]);
  assert.is(pfnAt(mm, addr), pfnAt(child, addr));
  assert.not(hmm.isDevicePage(pfnAt(mm, addr)));
  holds(child, addr, 1);
  assert.is(gpu.faults, 1);
  child.store32(addr + P, 9);
  assert.is(gpu.faults, 2, "a write comes back the same way, and is copied then");
  assert.equal([entry(mm, addr + P), entry(child, addr + P)], ["present", "present w"]);
  holds(mm, addr, 2);
});

scenario("E45 every second destination is left empty: its page is restored", (world) => {
  const { hmm, mm, gpu } = world;
  const addr = filled(mm, 16);
  const before = Array.from({ length: 16 }, (_, i) => mm.lookupPte(addr + i * P));
  using _sem = mm.mmapSem.read();
  const m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + 16 * P, owner: gpu });
  gpu.devmem.allocPages(
    m.src.map((word, i) => (i % 2 === 0 ? word : 0)),
    m.dst,
  );
  hmm.copyPages(m.src, m.dst);
  assert.is(m.pages(), 8);
  const migrating = m.src.map((word) => word & MIGRATE_PFN_MIGRATE);
  m.finalize();
  assert.equal([m.result.cpages, m.result.moved], [16, 8], "cpages is what setup counted");
  for (let i = 0; i < 16; i++) {
    assert.is(m.reasons[i], i % 2 === 0 ? 0 : REASON_NO_DESTINATION);
    assert.is(migrating[i] !== 0, i % 2 === 0);
    if (i % 2 === 0) assert.is(entry(mm, addr + i * P), "device w");
    else assert.equal(mm.lookupPte(addr + i * P), before[i]);
  }
  holds(mm, addr, 16);
});

scenario("E48 the CPU fills a hole between setup and pages: its page is kept", (world) => {
  const { hmm, mm, gpu } = world;
  const addr = mm.mmap({ length: 2 * P });
  using _sem = mm.mmapSem.read();
  const m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + 2 * P, owner: gpu });
  assert.equal([...m.src], times(2, MIGRATE_PFN_MIGRATE));
  gpu.devmem.allocPages(m.src, m.dst);
  const dst = [...m.dst].map(migratePfnToPage);
  hmm.copyPages(m.src, m.dst);
  mm.store32(addr, 77);
  const page = pfnAt(mm, addr);
  assert.is(m.pages(), 1);
  assert.equal([m.src[0] & MIGRATE_PFN_MIGRATE, m.reasons[0]], [0, REASON_HOLE_FILLED]);
  gpu.table.mapMigrated(m);
  m.finalize();
  assert.equal(gpu.freed, [dst[0]], "free, exactly once");
  assert.equal([mm.load32(addr), pfnAt(mm, addr)], [77, page]);
  assert.is(pfnAt(mm, addr + P), dst[1]);
  assert.is(mm.rss.anon, 2);
});

scenario("E49 at a group's limit a hole stays, and existing pages may come back", (world) => {
  const { hmm, memcg, mm, gpu } = world;
  const none = new Memcg({ limit: 0 });
  const poor = hmm.createMm({ memcg: none });
  const hole = poor.mmap({ length: P });
  const stayed = toDevice(world, poor, hole, hole + P);
  assert.equal([stayed.cpages, stayed.moved, stayed.reasons[0]], [1, 0, REASON_MEMCG_LIMIT]);
  assert.equal([none.usage, poor.rss.anon], [0, 0]);
  const addr = filled(mm, 4);
  gpu.toDevice(addr, addr + 4 * P);
  const { usage } = memcg;
  memcg.limit = 0;
  holds(mm, addr, 4);
  assert.is(gpu.faults, 4);
  assert.equal([memcg.usage, mm.rss.anon], [usage, 4]);
  assert.is(toDevice(world, mm, addr, addr + 4 * P).moved, 4, "nor does the way there need room");
  const other = mm.mmap({ length: P });
  assert.is(
    codeOf(() => mm.store32(other, 1)),
    "ENOMEM",
  );
  assert.match(errorOf(() => mm.store32(other, 1))!.message, /memory cgroup limit/);
  holds(mm, addr, 4);
});

scenario("E51 a hole becomes an entry as writable as its mapping, and is counted", (world) => {
  const { mm, gpu } = world;
  for (const prot of [PROT_READ, RW]) {
    const addr = mm.mmap({ length: 2 * P, prot });
    mm.load32(addr + P);
    assert.equal(entries(mm, addr, 2), ["none", "zero"]);
    const { anon } = mm.rss;
    const result = gpu.toDevice(addr, addr + 2 * P);
    assert.equal([result.cpages, result.moved], [2, 2]);
    const write = prot === RW;
    assert.equal(entries(mm, addr, 2), times(2, write ? "device w" : "device"));
    for (const at of [addr, addr + P]) {
      assert.is((gpu.table.lookup(at) & HMM_PFN_WRITE) !== 0, write);
      assert.is(hmmPfnToPage(gpu.table.lookup(at)), pfnAt(mm, at));
    }
    assert.is(mm.rss.anon, anon + 2, "the one that was the zero page, too");
    assert.equal([mm.load32(addr), mm.load32(addr + P)], [0, 0]);
    assert.equal(entries(mm, addr, 2), times(2, write ? "present w" : "present"));
    assert.is(mm.rss.anon, anon + 2);
    mm.munmap(addr, 2 * P);
  }
});

scenarios.run("beyond: migration");
