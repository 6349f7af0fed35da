/** Page tables count as system memory, as in Linux. */
import * as assert from "uvu/assert";
import {
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  PAGE_SIZE,
  type Hmm,
  type HmmError,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm, MIB } from "../../util/driver.ts";

const P = PAGE_SIZE;
const GIB = 2 ** 30;

/**
 * Writes one page a GiB, which needs two tables each, until the engine refuses. Returns how many, and why.
 */
function fill(hmm: Hmm, flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED): { pages: number; error: HmmError } {
  const mm = hmm.createMm();
  for (let pages = 0; ; pages++) {
    const addr = GIB * (pages + 1);
    mm.mmap({ addr, length: P, flags });
    const error = errorOf(() => mm.store32(addr, 1)) as HmmError | undefined;
    if (error !== undefined) return { pages, error };
  }
}

onEachBuild("page tables", (test, module) => {
  test("one page every GiB fills system memory with pages and tables, and the error says so", () => {
    for (const backing of ["data", "metadata"] as const) {
      const hmm = makeHmm(module, { systemMemory: 4 * MIB, deviceMemory: 0, backing });
      const { pages, error } = fill(hmm);
      assert.match(error.message, /ENOMEM: system memory/);
      // 1024 pages: the root, a table of 512 GiB, and a page and two tables for each address.
      assert.is(pages, Math.floor((1024 - 2) / 3));
      assert.ok(hmm.pageTables >= 2 + 2 * pages);
      assert.ok(hmm.freePages - hmm.pageTables < 3);
      hmm.verify();
      hmm.mms()[0].close();
      assert.equal([hmm.pageTables, hmm.freePages], [0, 1024]);
      hmm.verify();
    }
  });

  test("tables of files and of devices do not count", () => {
    const hmm = makeHmm(module);
    const file = hmm.createFile({ bytes: GIB });
    file.write(0, Uint8Array.of(1));
    assert.is(hmm.pageTables, 0);
  });

  test("reads fill memory with tables alone", () => {
    const hmm = makeHmm(module, { systemMemory: MIB, deviceMemory: 0 });
    const mm = hmm.createMm();
    let pages = 0;
    const read = (): unknown => {
      const addr = GIB * (pages + 1);
      mm.mmap({ addr, length: P, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED });
      return errorOf(() => mm.load32(addr));
    };
    while (read() === undefined) pages++;
    assert.is(pages, (256 - 2) / 2);
    assert.is(hmm.freePages, 256);
    hmm.verify();
  });

  test("a capacity makes them a pool beside system memory, which the error names", () => {
    const hmm = makeHmm(module, { systemMemory: 4 * MIB, deviceMemory: 0, capacities: { pageTables: 8 } });
    assert.is(hmm.pageTables, 0);
    assert.match(
      fill(hmm).error.message,
      /ENOMEM: page tables \(capacity 8\), which config\.capacities\.pageTables sets/,
    );
  });

  test("by default there are as many as pages of system memory, or as linear memory has room for", () => {
    const small = makeHmm(module, { systemMemory: 4 * MIB, deviceMemory: 0 });
    assert.ok(small.config.capacities.pageTables >= 1024 + 2048);
    const large = makeHmm(module, { systemMemory: 64 * GIB, deviceMemory: 0, backing: "metadata" });
    const { pageTables } = large.config.capacities;
    assert.ok(pageTables > 800_000 && pageTables < 2 ** 20, String(pageTables));
  });

  test("a snapshot ends with the last table that was in use, and is restored to full size", () => {
    const hmm = makeHmm(module, { systemMemory: 64 * MIB, deviceMemory: 0 });
    const before = hmm.snapshot().length;
    // Half of what linear memory has: the tables, which are as many as pages, were never in use.
    assert.ok(before < 90 * MIB && hmm.config.capacities.pageTables * P > 64 * MIB, String(before));
    const mm = hmm.createMm();
    for (let i = 1; i <= 100; i++) {
      mm.mmap({ addr: GIB * i, length: P, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED });
      mm.store32(GIB * i, i);
    }
    const bytes = hmm.snapshot();
    assert.ok(bytes.length >= before + 190 * P && bytes.length <= before + 220 * P);
    const restored = (hmm.constructor as typeof Hmm).restore(bytes, { module });
    const again = restored.mms()[0];
    for (let i = 101; i <= 200; i++) {
      again.mmap({ addr: GIB * i, length: P, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED });
      again.store32(GIB * i, i);
    }
    for (let i = 1; i <= 200; i++) assert.is(again.load32(GIB * i), i);
    restored.verify();
  });

  test("runs that take many frames at once leave those that tables count as", () => {
    const hmm = makeHmm(module, { systemMemory: MIB, deviceMemory: 4 * MIB });
    const mm = hmm.createMm();
    const addr = mm.mmap({ length: 150 * P });
    mm.populate(addr, 150 * P);
    const child = mm.fork();
    const error = errorOf(() => child.populate(addr, 150 * P)) as HmmError;
    assert.match(error.message, /ENOMEM: system memory/);
    assert.is(hmm.freePages, hmm.pageTables);
    child.close();
    const left = hmm.freePages - hmm.pageTables;
    using pfns = hmm.pfnArray(256);
    using dst = hmm.pfnArray(256);
    pfns.fill(0xc0000000);
    assert.is(hmm.allocPages(pfns, dst), left);
    assert.is(hmm.allocPage(), 0);
    for (const word of dst.subarray(0, left)) {
      hmm.pageUnlock(word & 0x7ffffff);
      hmm.pagePut(word & 0x7ffffff);
    }
    hmm.verify();
  });
}).run();
