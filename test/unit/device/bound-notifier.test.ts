import * as assert from "uvu/assert";
import {
  DeviceTable,
  hmmDevmemAdd,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  migrateVmaSetup,
  MIGRATE_VMA_SELECT_SYSTEM,
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_MIGRATE,
  MMU_NOTIFY_PROTECTION_VMA,
  MMU_NOTIFY_UNMAP,
  MmuIntervalNotifier,
  PAGE_SIZE,
  PROT_READ,
  type Hmm,
  type Mm,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm } from "../../util/driver.ts";

/** Pages of the mapping under test. */
const PAGES = 8;

onEachBuild("notifier with a table", (test, module) => {
  /** A process with PAGES pages, which a device's table maps, writable. */
  const mirrored = (): { hmm: Hmm; mm: Mm; addr: number; table: DeviceTable } => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: PAGES * PAGE_SIZE });
    mm.populate(addr, PAGES * PAGE_SIZE);
    const table = new DeviceTable(mm);
    const pfns = Array.from(
      { length: PAGES },
      (_, i) => (HMM_PFN_VALID | HMM_PFN_WRITE | mm.lookupPte(addr + i * PAGE_SIZE)!.pfn) >>> 0,
    );
    table.map(addr, Uint32Array.from(pfns));
    return { hmm, mm, addr, table };
  };

  test("the core drops the entries of what changes, without a callback", () => {
    const { hmm, mm, addr, table } = mirrored();
    using notifier = new MmuIntervalNotifier(mm, addr, PAGES * PAGE_SIZE, null, { table });
    const seq = notifier.readBegin();
    const requests = hmm.stats.requests;
    mm.munmap(addr + 2 * PAGE_SIZE, 3 * PAGE_SIZE);
    // Pages 2, 3 and 4 are gone; nobody was asked, and readers that began before must retry.
    assert.is(table.entries, PAGES - 3);
    assert.is(table.lookup(addr + 3 * PAGE_SIZE), 0);
    assert.is.not(table.lookup(addr + 5 * PAGE_SIZE), 0);
    assert.is(hmm.stats.requests, requests);
    assert.ok(notifier.readRetry(seq));
    assert.not(notifier.readRetry(notifier.readBegin()));
    assert.is(notifier.told(MMU_NOTIFY_UNMAP), 1);
    hmm.verify();
  });

  test("events outside of the interval leave the table as it is", () => {
    const { mm, addr, table } = mirrored();
    using notifier = new MmuIntervalNotifier(mm, addr, 2 * PAGE_SIZE, null, { table });
    // Somebody else listens to that page: it is told, and the table is not.
    using _other = new MmuIntervalNotifier(mm, addr + 2 * PAGE_SIZE, PAGE_SIZE, { invalidate: () => true });
    const seq = notifier.readBegin();
    mm.munmap(addr + 2 * PAGE_SIZE, PAGE_SIZE);
    assert.is(table.entries, PAGES);
    assert.not(notifier.readRetry(seq));
    assert.is(notifier.told(MMU_NOTIFY_UNMAP), 0);
  });

  test("a callback is told as well, and finds the table changed already", () => {
    const { mm, addr, table } = mirrored();
    const seen: [event: number, entries: number][] = [];
    using _watched = new MmuIntervalNotifier(
      mm,
      addr,
      PAGES * PAGE_SIZE,
      { invalidate: ({ event }) => void seen.push([event, table.entries]) },
      { table },
    );
    mm.mprotect(addr, PAGE_SIZE, PROT_READ);
    assert.equal(seen, [[MMU_NOTIFY_PROTECTION_VMA, PAGES - 1]]);
  });

  test("another subscriber is told after the table", () => {
    const { mm, addr, table } = mirrored();
    const entries: number[] = [];
    using _bound = new MmuIntervalNotifier(mm, addr, PAGES * PAGE_SIZE, null, { table });
    using _other = new MmuIntervalNotifier(mm, addr, PAGES * PAGE_SIZE, {
      invalidate: () => void entries.push(table.entries),
    });
    mm.munmap(addr, PAGE_SIZE);
    assert.equal(entries, [PAGES - 1]);
  });

  test("migrations of the owner leave entries and sequence number; those of others do not", () => {
    const { hmm, mm, addr, table } = mirrored();
    const owner = {};
    hmmDevmemAdd(hmm, { fault: () => 0 }, owner, 2 << 20);
    using notifier = new MmuIntervalNotifier(mm, addr, PAGES * PAGE_SIZE, null, { table, owner });
    const migrate = (by: unknown): void => {
      using _sem = mm.mmapSem.read();
      const vma = mm.findVma(addr);
      const select = MIGRATE_VMA_SELECT_SYSTEM;
      migrateVmaSetup({ vma, start: addr, end: addr + PAGE_SIZE, owner: by, select }).finalize();
    };
    const seq = notifier.readBegin();
    migrate(owner);
    assert.is(table.entries, PAGES);
    assert.not(notifier.readRetry(seq));
    migrate({});
    assert.is(table.entries, PAGES - 1);
    assert.ok(notifier.readRetry(seq));
    assert.is(notifier.told(MMU_NOTIFY_MIGRATE), 2);
  });

  test("fork takes the right to write, or drops the entries, as its event says", () => {
    const { hmm, mm, addr, table } = mirrored();
    using notifier = new MmuIntervalNotifier(mm, addr, PAGES * PAGE_SIZE, null, { table });
    using _child = mm.fork();
    for (let i = 0; i < PAGES; i++) assert.is(table.lookup(addr + i * PAGE_SIZE) & HMM_PFN_WRITE, 0);
    assert.ok(notifier.told(MMU_NOTIFY_CLEAR) + notifier.told(3) > 0);
    hmm.verify();
  });

  test("a table that is closed is no longer told, and the next one with its number neither", () => {
    const { mm, addr, table } = mirrored();
    using _bound = new MmuIntervalNotifier(mm, addr, PAGES * PAGE_SIZE, null, { table });
    table.close();
    using next = new DeviceTable(mm);
    next.map(addr, Uint32Array.of((HMM_PFN_VALID | mm.lookupPte(addr)!.pfn) >>> 0));
    mm.mprotect(addr, PAGE_SIZE, PROT_READ);
    assert.is(next.entries, 1);
  });

  test("says what is wrong with its table, and subscribes nobody", () => {
    const { hmm, mm, addr, table } = mirrored();
    const make = (ops: null, options: object) => (): unknown =>
      new MmuIntervalNotifier(mm, addr, PAGE_SIZE, ops, options);
    using other = hmm.createMm();
    assert.match(errorOf(make(null, {}))!.message, "ops");
    assert.match(errorOf(make(null, { table: {} }))!.message, "options.table must be a DeviceTable");
    assert.match(errorOf(make(null, { table: new DeviceTable(other) }))!.message, "open table of mm");
    table.close();
    assert.match(errorOf(make(null, { table }))!.message, "open table of mm");
    assert.is(hmm.notifiers().length, 0);
  });

  test("a snapshot keeps it: it needs no callback when it is restored", async () => {
    const { hmm, mm, addr, table } = mirrored();
    using _bound = new MmuIntervalNotifier(mm, addr, PAGES * PAGE_SIZE, null, { table, id: "bound" });
    const { Hmm } = await import("../../../src/index.ts");
    const restored = Hmm.restore(hmm.snapshot(), { module });
    const [again] = restored.mms();
    again.munmap(addr, PAGE_SIZE);
    assert.is(restored.deviceTables()[0].entries, PAGES - 1);
    assert.is(restored.notifiers()[0].told(MMU_NOTIFY_UNMAP), 1);
    restored.verify();
  });
}).run();
