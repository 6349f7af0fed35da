/**
 * Why a page stays in place: this test produces every REASON_* and sees its code, or lists it as a reason
 * that cannot occur. The kernel reports 0 for all of them.
 */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as codes from "../../assembly/uapi/reason.ts";
import {
  explain,
  Hmm,
  MADV_PAGEOUT,
  makeDeviceExclusive,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  Memcg,
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_ERROR,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateDeviceRange,
  migrateVmaSetup,
  PROT_READ,
  type HmmConfig,
  type MigrateResult,
  type Migration,
  type Mm,
} from "../../src/index.ts";
import { onEachBuild } from "../util/builds.ts";
import { MIB, TestGpu } from "../util/driver.ts";
import { advised, isHuge, PAGES } from "../util/huge.ts";
import { checkEachStep, filled, P, pfnAt } from "./beyond.ts";

const SYSTEM = MIGRATE_VMA_SELECT_SYSTEM;
const PRIVATE = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;

/**
 * Reasons that cannot occur: in the kernel they come from a page in a mapping that is special only in part,
 * and from a mapping that the reverse map does not show (the stack of a starting program, races with mlock).
 */
const IMPOSSIBLE: Record<string, string> = {
  REASON_NO_MAPPING: "a driver's own pages are only in special mappings, which setup refuses as a whole",
  REASON_STILL_MAPPED: "the reverse map finds every mapping, and no new mapping can appear meanwhile",
};

class Case {
  readonly hmm: Hmm;
  readonly mm: Mm;
  readonly gpu: TestGpu;

  constructor(module: WebAssembly.Module, config: HmmConfig = {}) {
    const sizes = { systemMemory: 4 * MIB, deviceMemory: 4 * MIB, swap: MIB };
    this.hmm = Hmm.createSync(module, { ...sizes, ...config });
    checkEachStep(this.hmm);
    this.mm = this.hmm.createMm();
    this.gpu = new TestGpu(this.mm, 2 * MIB);
  }

  /** Migrates one page to the device; `between` runs after setup and after the destinations are set. */
  one(addr: number, between?: (m: Migration) => void, select = SYSTEM, mm = this.mm): MigrateResult {
    return this.migrate(addr, 1, between, select, mm);
  }

  /** Like one(), for n pages. */
  migrate(
    addr: number,
    n: number,
    between: (m: Migration) => void = () => {},
    select = SYSTEM,
    mm = this.mm,
  ): MigrateResult {
    using _sem = mm.mmapSem.read();
    const vma = mm.findVma(addr);
    using m = migrateVmaSetup({ vma, start: addr, end: addr + n * P, owner: this.gpu, select });
    this.gpu.devmem.allocPages(m.src, m.dst);
    this.hmm.copyPages(m.src, m.dst);
    between(m);
    m.pages();
    m.finalize();
    return m.result;
  }

  /** Clears the destinations that the driver has set. */
  takeBack(m: Migration, i = 0): void {
    const page = m.dst[i] & 0x07ffffff;
    m.dst[i] = 0;
    this.hmm.pageUnlock(page);
    this.hmm.pagePut(page);
  }
}

/** A way to each reason. The page with the reason is the first of the result, and no other page moves. */
const WAYS: Record<string, (module: WebAssembly.Module) => MigrateResult> = {
  REASON_NONE: (module) => {
    const c = new Case(module);
    return c.one(filled(c.mm, 1));
  },
  REASON_HOLE_NOT_ANON: (module) => {
    const c = new Case(module);
    return c.one(c.mm.mmap({ length: P, flags: MAP_SHARED | MAP_ANONYMOUS }));
  },
  REASON_NOT_SELECTED: (module) => {
    const c = new Case(module);
    return c.one(filled(c.mm, 1), undefined, PRIVATE);
  },
  REASON_OTHER_OWNER: (module) => {
    const c = new Case(module);
    const other = new TestGpu(c.mm, P);
    const addr = filled(c.mm, 1);
    other.toDevice(addr, addr + P);
    return c.one(addr, undefined, PRIVATE);
  },
  REASON_NOT_PRESENT: (module) => {
    const c = new Case(module);
    const addr = filled(c.mm, 3);
    const ways = [
      () => c.mm.madvise(addr, P, MADV_PAGEOUT),
      () => {
        using _sem = c.mm.mmapSem.read();
        makeDeviceExclusive(c.mm, addr + P, 1).close();
      },
      () => {
        c.one(addr + 2 * P, (m) => {
          c.takeBack(m);
          m.dst[0] = MIGRATE_PFN_ERROR;
        });
      },
    ];
    const results = ways.map((way, i) => {
      way();
      return c.one(addr + i * P, undefined, SYSTEM | PRIVATE);
    });
    assert.equal(
      results.map(({ reasons }) => reasons[0]),
      new Array(3).fill(codes.REASON_NOT_PRESENT),
      "swapped out, lent to a device, lost",
    );
    return results[0];
  },
  REASON_MIGRATING: (module) => {
    const c = new Case(module);
    const addr = filled(c.mm, 1);
    using _sem = c.mm.mmapSem.read();
    using _open = migrateVmaSetup({ vma: c.mm.findVma(addr), start: addr, end: addr + P });
    return c.one(addr);
  },
  REASON_LOCKED: (module) => {
    const c = new Case(module);
    const addr = filled(c.mm, 1);
    const page = pfnAt(c.mm, addr);
    c.hmm.pageLock(page);
    return c.one(addr, () => c.hmm.pageUnlock(page));
  },
  REASON_PINNED: (module) => {
    const c = new Case(module);
    const addr = filled(c.mm, 1);
    using _pin = c.mm.pin(addr, 1);
    return c.one(addr);
  },
  REASON_NOT_ISOLATED: (module) => {
    const c = new Case(module);
    const addr = filled(c.mm, 1);
    c.hmm.pageIsolate(pfnAt(c.mm, addr));
    return c.one(addr);
  },
  REASON_NO_DESTINATION: (module) => {
    const c = new Case(module);
    return c.one(filled(c.mm, 1), (m) => c.takeBack(m));
  },
  REASON_FILE_PAGE: (module) => {
    const c = new Case(module);
    const file = c.hmm.createFile({ bytes: P });
    const addr = c.mm.mmap({ length: P, file, flags: MAP_PRIVATE });
    c.mm.load32(addr);
    return c.one(addr);
  },
  REASON_REFERENCED: (module) => {
    const c = new Case(module);
    const addr = filled(c.mm, 1);
    const page = pfnAt(c.mm, addr);
    const result = c.one(addr, () => c.hmm.pageGet(page));
    c.hmm.pagePut(page);
    return result;
  },
  REASON_HOLE_FILLED: (module) => {
    const c = new Case(module);
    const addr = c.mm.mmap({ length: P });
    return c.one(addr, () => c.mm.store32(addr, 1));
  },
  REASON_NO_TABLE: (module) => {
    // One root for the mm's table and one for the device's.
    const c = new Case(module, { capacities: { pageTables: 3 } });
    return c.one(c.mm.mmap({ length: P }));
  },
  REASON_MEMCG_LIMIT: (module) => {
    const c = new Case(module);
    const mm = c.hmm.createMm({ memcg: new Memcg({ limit: 0 }) });
    return c.one(mm.mmap({ length: P }), undefined, SYSTEM, mm);
  },
  REASON_NO_ANON_VMA: (module) => {
    const c = new Case(module, { capacities: { anonVmas: 1 } });
    filled(c.mm, 1);
    // Of another kind and far away, so that it shares no table with a neighbor.
    return c.one(c.mm.mmap({ addr: 0x10000000, length: P, prot: PROT_READ }));
  },
  REASON_ORDER: (module) => {
    const c = new Case(module);
    const giveLarge = (m: Migration): void => {
      for (let i = 0; i < PAGES; i++) c.takeBack(m, i);
      const src = new Uint32Array(PAGES);
      src[0] = (MIGRATE_PFN_MIGRATE | MIGRATE_PFN_COMPOUND) >>> 0;
      c.gpu.devmem.allocPages(src, m.dst);
      assert.is((m.dst[0] & MIGRATE_PFN_COMPOUND) >>> 0, MIGRATE_PFN_COMPOUND);
    };
    return c.migrate(filled(c.mm, PAGES), PAGES, giveLarge);
  },
  REASON_LARGE_FOLIO: (module) => {
    const c = new Case(module, { linux: "6.12" });
    const addr = advised(c.mm);
    c.mm.store32(addr, 1);
    assert.ok(isHuge(c.mm, addr));
    c.mm.munmap(addr + P, P);
    assert.not(isHuge(c.mm, addr));
    return c.one(addr);
  },
  REASON_UFFD: (module) => {
    const c = new Case(module);
    const addr = c.mm.mmap({ length: P });
    c.mm.uffdRegister(addr, P);
    return c.one(addr);
  },
  REASON_FREE_PAGE: (module) => {
    const c = new Case(module);
    using m = migrateDeviceRange(c.gpu.devmem, c.gpu.devmem.pfnFirst, 1);
    m.pages();
    return m.result;
  },
  REASON_DRIVER_ERROR: (module) => {
    const c = new Case(module);
    return c.one(filled(c.mm, 1), (m) => {
      c.takeBack(m);
      m.dst[0] = MIGRATE_PFN_ERROR;
    });
  },
};

const REASONS = Object.entries(codes).filter(([name]) => name !== "REASON_COUNT");

onEachBuild("reasons", (test, module) => {
  for (const [name, way] of Object.entries(WAYS)) {
    test(name, () => {
      const code = (codes as Record<string, number>)[name];
      const result = way(module);
      assert.is(result.reasons[0], code, `${name}, got ${explain(result.reasons[0])}`);
      if (code === codes.REASON_NONE) {
        assert.equal([result.moved, result.stayed], [1, []]);
        return;
      }
      assert.is(result.moved, 0);
      assert.equal(result.stayed[0], { index: 0, reason: code, text: explain(code) });
      assert.is(result.stayed.length, result.npages);
    });
  }
}).run();

const table = suite("reasons: table");

table("every code has a way to it, or is one that cannot come about yet", () => {
  const names = REASONS.map(([name]) => name).sort();
  assert.equal([...Object.keys(WAYS), ...Object.keys(IMPOSSIBLE)].sort(), names);
  for (const why of Object.values(IMPOSSIBLE)) assert.ok(why.length > 0);
});

table("every code has a sentence of its own", () => {
  assert.equal(
    REASONS.map(([, code]) => code).sort((a, b) => a - b),
    Array.from({ length: codes.REASON_COUNT }, (_, i) => i),
  );
  const sentences = REASONS.map(([, code]) => explain(code));
  assert.is(new Set(sentences).size, codes.REASON_COUNT);
  for (const sentence of sentences) assert.match(sentence, /^[a-z].* .* [^.]*$/);
  for (const code of [codes.REASON_COUNT, -1, 255]) assert.match(explain(code), /^unknown reason/);
});

table.run();
