/** Huge pages, beyond the kernel's own tests: E30, E31, E59 to E61, E63, E77, and parts of E22 and E76. */
import * as assert from "uvu/assert";
import {
  HMM_PFN_ERROR,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  hmmPfnToMapOrder,
  hmmPfnToPage,
  hmmPfnWritable,
  hmmRangeFault,
  makeDeviceExclusive,
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateDeviceRange,
  migratePfn,
  migratePfnToPage,
  migrateVmaSetup,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_READ,
  REASON_NO_DESTINATION,
  REASON_NOT_SELECTED,
  REASON_ORDER,
  REASON_REFERENCED,
  type Migration,
  type Mm,
  type Vma,
} from "../../src/index.ts";
import { MIB, type TestGpu } from "../util/driver.ts";
import { advised, AT, byteAt, isHuge, orders, PAGES, PMD, write } from "../util/huge.ts";
import { Beyond, entries, entry, P, pfnAt, RW, times, type World } from "./beyond.ts";

const scenarios = new Beyond({ systemMemory: 12 * MIB });
const scenario = scenarios.add;
/** A part of a scenario whose main test is in another file. */
const part = scenarios.add;

const SYSTEM = MIGRATE_VMA_SELECT_SYSTEM;
const PRIVATE = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
const COMPOUND = MIGRATE_VMA_SELECT_COMPOUND;
const REQ_BOTH = (HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE) >>> 0;

/** Makes a huge page at AT whose page i begins with the byte i | 1. */
function huge(mm: Mm): number {
  advised(mm);
  for (let i = 0; i < PAGES; i++) write(mm, AT + i * P, i | 1);
  assert.ok(isHuge(mm, AT));
  return AT;
}

/** Asserts that n pages from addr hold the pages of huge() from page `first`. */
function holds(mm: Mm, addr: number, n = PAGES, first = 0): void {
  for (let i = 0; i < n; i++) assert.is(byteAt(mm, addr + i * P), ((first + i) | 1) & 255, `page ${i}`);
}

/** Makes the driver bring a huge page back as one, if its mapping is huge. */
function bringsWhole(gpu: TestGpu): void {
  gpu.onFault = (vma: Vma, address: number): void => {
    const size = isHuge(vma.mm, address) ? PMD : P;
    const start = address - (address % size);
    using m = migrateVmaSetup({ vma, start, end: start + size, select: PRIVATE | COMPOUND });
    gpu.hmm.allocPages(m.src, m.dst);
    gpu.hmm.copyPages(m.src, m.dst);
    m.pages();
  };
}

function rangeFault({ mm }: World, start: number, n: number, args: object = {}): Uint32Array {
  const pfns = new Uint32Array(n);
  using _sem = mm.mmapSem.read();
  assert.is(hmmRangeFault({ mm, start, end: start + n * P, pfns, ...args }), 0);
  return pfns;
}

/** Sets up a migration to the device, lets `give` fill in destinations, and ends the migration. */
function migrate(
  { hmm, mm, gpu }: World,
  select: number,
  give: (m: Migration) => void,
  end = AT + PMD,
): Migration {
  using _sem = mm.mmapSem.read();
  using m = migrateVmaSetup({ vma: mm.findVma(AT), start: AT, end, owner: gpu, select });
  give(m);
  hmm.copyPages(m.src, m.dst);
  m.pages();
  gpu.table.mapMigrated(m);
  return m;
}

scenario("E30 a write request over a huge page that fork made read-only: 512 writable pages", (world) => {
  const { mm } = world;
  huge(mm);
  const shared = pfnAt(mm, AT);
  const child = mm.fork();
  assert.equal([entry(mm, AT), orders(mm, AT)], ["present", new Set([9])]);
  const pfns = rangeFault(world, AT, PAGES, { defaultFlags: REQ_BOTH });
  assert.ok(pfns.every((word) => hmmPfnWritable(word) && hmmPfnToMapOrder(word) === 0));
  assert.equal(entries(mm, AT, PAGES), times(PAGES, "present w"));
  assert.ok(pfns.every((word) => hmmPfnToPage(word) < shared || hmmPfnToPage(word) >= shared + PAGES));
  assert.equal([pfnAt(child, AT), entry(child, AT), isHuge(child, AT)], [shared, "present", true]);
  holds(mm, AT);
  holds(child, AT);
});

scenario("E31 a range over half of a huge page: order 9 in each slot", (world) => {
  huge(world.mm);
  const pfns = rangeFault(world, AT + 128 * P, 256);
  const first = pfnAt(world.mm, AT) + 128;
  assert.equal([...pfns].map(hmmPfnToMapOrder), times(256, 9));
  assert.equal(
    [...pfns].map(hmmPfnToPage),
    [...times(256, first).keys()].map((i) => first + i),
  );
  assert.ok(pfns.every(hmmPfnWritable));
});

scenario(
  "E59 destinations that do not fit: small ones for a huge page, a large one for small pages",
  (world) => {
    const { hmm, mm, gpu } = world;
    const without = 100;
    const small = (m: Migration): void => {
      for (let i = 0; i < m.npages; i++) m.dst[i] = migratePfn(gpu.devmem.allocPage());
    };
    huge(mm);
    assert.is(migrate(world, SYSTEM | COMPOUND, small).result.moved, PAGES);
    assert.equal([isHuge(mm, AT), ...entries(mm, AT, PAGES)], [false, ...times(PAGES, "device w")]);
    holds(mm, AT);
    mm.munmap(AT, PMD);
    huge(mm);
    const some = migrate(world, SYSTEM | COMPOUND, (m) => {
      small(m);
      for (let i = 200; i < 200 + without; i++) {
        const page = migratePfnToPage(m.dst[i]);
        m.dst[i] = 0;
        hmm.pageUnlock(page);
        hmm.pagePut(page);
      }
    });
    assert.equal([...some.reasons.subarray(200, 200 + without)], times(without, REASON_NO_DESTINATION));
    assert.is(some.result.moved, PAGES - without);
    assert.equal(entries(mm, AT, PAGES), [
      ...times(200, "device w"),
      ...times(without, "present w"),
      ...times(PAGES - without - 200, "device w"),
    ]);
    assert.equal(orders(mm, AT + 200 * P, without), new Set([0]), "small pages");
    holds(mm, AT);
    // The destination of the huge page is not used for the small pages into which it was split.
    const large = migrate(world, SYSTEM | COMPOUND, (m) => {
      assert.ok(m.src.every((word) => (word & MIGRATE_PFN_COMPOUND) === 0));
      const head = Uint32Array.of((MIGRATE_PFN_MIGRATE | MIGRATE_PFN_COMPOUND) >>> 0);
      const src = new Uint32Array(PAGES);
      src.set(head);
      gpu.devmem.allocPages(src, m.dst);
      assert.ok((m.dst[0] & MIGRATE_PFN_COMPOUND) !== 0);
    });
    assert.is(large.reasons[0], REASON_ORDER);
    assert.equal([large.result.moved, gpu.devmem.usedPages], [0, 0]);
    holds(mm, AT);
  },
);

scenario("E60 a range over half of a huge page: the page is split, and half of it migrates", (world) => {
  const { mm, gpu } = world;
  for (const select of [SYSTEM, SYSTEM | COMPOUND]) {
    huge(mm);
    const m = migrate(world, select, (each) => void gpu.devmem.allocPages(each.src, each.dst), AT + MIB);
    assert.equal([m.cpages, m.result.moved], [256, 256]);
    assert.equal(entries(mm, AT, PAGES), [...times(256, "device w"), ...times(256, "present w")]);
    assert.equal(orders(mm, AT + MIB, 256), new Set([0]));
    holds(mm, AT);
    mm.munmap(AT, PMD);
  }
});

scenario(
  "E61 the huge zero page: 512 holes without COMPOUND, and nothing if only device pages are selected",
  (world) => {
    const { mm, gpu } = world;
    advised(mm);
    byteAt(mm, AT);
    assert.ok(isHuge(mm, AT));
    const none = migrate(world, PRIVATE, (m) => assert.ok(m.src.every((word) => word === 0)));
    assert.equal([...none.reasons], times(PAGES, REASON_NOT_SELECTED));
    mm.munmap(AT, PMD);
    advised(mm);
    byteAt(mm, AT);
    const all = migrate(world, SYSTEM, (m) => {
      assert.equal([...m.src], times(PAGES, MIGRATE_PFN_MIGRATE));
      gpu.devmem.allocPages(m.src, m.dst);
    });
    assert.equal([all.cpages, all.result.moved, isHuge(mm, AT)], [PAGES, PAGES, false]);
    assert.is(byteAt(mm, AT + PMD - P), 0);
  },
);

scenario("E63 eviction moves a huge device page as one, and not to small pages", (world) => {
  const { hmm, mm, gpu } = world;
  huge(mm);
  migrate(world, SYSTEM | COMPOUND, (m) => void gpu.devmem.allocPages(m.src, m.dst));
  assert.ok(isHuge(mm, AT));
  const head = pfnAt(mm, AT);
  const evict = (small = false): Migration => {
    using m = migrateDeviceRange(gpu.devmem, head, PAGES);
    // Small destinations: the words of 512 pages instead of that of a huge one.
    const words = small ? times(PAGES, m.src[0] & ~MIGRATE_PFN_COMPOUND) : m.src;
    hmm.allocPages(Uint32Array.from(words), m.dst);
    hmm.copyPages(m.src, m.dst);
    m.pages();
    return m;
  };
  hmm.pageGet(head + 7);
  assert.equal([...evict().reasons], times(PAGES, REASON_REFERENCED));
  hmm.pagePut(head + 7);
  assert.equal([...evict(true).reasons], times(PAGES, REASON_ORDER));
  assert.ok(isHuge(mm, AT));
  const free = hmm.freePages;
  assert.is(evict().result.moved, PAGES);
  assert.equal([isHuge(mm, AT), gpu.devmem.usedPages, gpu.faults], [true, 0, 0]);
  assert.is(hmm.freePages, free - PAGES, "the small destinations were freed");
  holds(mm, AT);
});

scenario(
  "E77 a huge device page: half of it moves, one page is protected, another is written after fork",
  (world) => {
    const { mm, gpu } = world;
    bringsWhole(gpu);
    const half = PAGES / 2;
    const target = AT + 4 * PMD;
    const cases: (() => void)[] = [
      () => {
        mm.mremap(AT, MIB, MIB, MREMAP_MAYMOVE | MREMAP_FIXED, target);
        assert.equal(entries(mm, target, half), times(half, "device w"));
        assert.equal(entries(mm, AT, half), times(half, "none"));
        holds(mm, target, half);
        holds(mm, AT + MIB, half, half);
        mm.munmap(target, MIB);
      },
      () => {
        mm.mprotect(AT + 9 * P, P, PROT_READ);
        assert.equal(entries(mm, AT + 8 * P, 3), ["device w", "device", "device w"]);
        holds(mm, AT);
        mm.mprotect(AT + 9 * P, P, RW);
      },
      () => {
        const child = mm.fork();
        assert.equal([entry(mm, AT), entry(child, AT), isHuge(child, AT)], ["device", "device", true]);
        write(child, AT + 5 * P, 99);
        assert.equal([byteAt(child, AT + 5 * P), byteAt(mm, AT + 5 * P)], [99, 5]);
        assert.equal([isHuge(mm, AT), isHuge(child, AT)], [true, false], "the writer's mapping is split");
        assert.is(gpu.faults, 1, "one fault brought it back for both");
        holds(mm, AT);
        child.close();
      },
    ];
    for (const act of cases) {
      huge(mm);
      migrate(world, SYSTEM | COMPOUND, (m) => void gpu.devmem.allocPages(m.src, m.dst));
      assert.equal([isHuge(mm, AT), gpu.devmem.usedPages], [true, PAGES]);
      gpu.faults = 0;
      act();
      assert.is(gpu.devmem.usedPages, 0);
      mm.munmap(AT, PMD);
    }
  },
);

part("E22 a foreign huge device page: ERROR in a snapshot, brought back by REQ_FAULT", (world) => {
  const { hmm, mm, gpu } = world;
  bringsWhole(gpu);
  huge(mm);
  migrate(world, SYSTEM | COMPOUND, (m) => void gpu.devmem.allocPages(m.src, m.dst));
  const own = rangeFault(world, AT, PAGES, { owner: gpu });
  assert.ok(own.every((word) => hmm.isDevicePage(hmmPfnToPage(word)) && hmmPfnToMapOrder(word) === 9));
  for (const owner of [undefined, {}])
    assert.equal([...rangeFault(world, AT, PAGES, { owner })], times(PAGES, HMM_PFN_ERROR));
  assert.is(gpu.faults, 0);
  const back = rangeFault(world, AT, PAGES, { owner: {}, defaultFlags: HMM_PFN_REQ_FAULT });
  assert.ok(back.every((word) => !hmm.isDevicePage(hmmPfnToPage(word)) && hmmPfnToMapOrder(word) === 9));
  assert.equal([gpu.faults, gpu.devmem.usedPages], [1, 0]);
});

for (const [linux, others] of [
  ["6.12", "exclusive w"],
  ["7.3", "present w"],
] as const) {
  const lend = ({ mm }: World): void => {
    huge(mm);
    using _sem = mm.mmapSem.read();
    {
      using lent = makeDeviceExclusive(mm, AT, 1);
      assert.is(lent.lent, 1);
      const then = ["exclusive w", ...times(PAGES - 1, others)];
      assert.equal([isHuge(mm, AT), ...entries(mm, AT, PAGES)], [false, ...then]);
    }
    holds(mm, AT);
    assert.equal(entries(mm, AT, PAGES), times(PAGES, "present w"));
  };
  part(`E76 exclusive access to a page of a huge one: the mapping is split first, ${linux}`, lend, { linux });
}

scenarios.run("beyond: huge pages");
