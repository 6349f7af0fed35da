import * as assert from "uvu/assert";
import { REASON_NONE, REASON_NOT_ISOLATED } from "../../../assembly/uapi/reason.ts";
import {
  Hmm,
  MADV_COLLAPSE,
  MADV_PAGEOUT,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateVmaSetup,
  PAGE_SIZE,
  type Mm,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { TestGpu } from "../../util/driver.ts";
import { advised, byteAt, isHuge, MIB, PAGES, PMD, write } from "../../util/huge.ts";

onEachBuild("pageIsolate", (test, module) => {
  const make = () => {
    const hmm = Hmm.createSync(module, { systemMemory: 16 * MIB, deviceMemory: 8 * MIB, swap: MIB });
    const mm = hmm.createMm();
    return { hmm, mm, gpu: new TestGpu(mm) };
  };
  const written = (mm: Mm): number => {
    const addr = mm.mmap({ length: 2 * PAGE_SIZE });
    for (const i of [0, 1]) write(mm, addr + i * PAGE_SIZE, i + 1);
    return addr;
  };
  const pageAt = (mm: Mm, addr: number): number => mm.lookupPte(addr)!.pfn;

  /** Migrates to the device. Returns the reasons of the first two pages. */
  function reasons(mm: Mm, gpu: TestGpu, addr: number, npages: number, select: number): number[] {
    using _sem = mm.mmapSem.read();
    const end = addr + npages * PAGE_SIZE;
    using m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end, owner: gpu, select });
    gpu.devmem.allocPages(m.src, m.dst);
    mm.hmm.copyPages(m.src, m.dst);
    m.pages();
    m.finalize();
    return [...m.result.reasons.slice(0, 2)];
  }

  test("an isolated page stays in place until it is put back", () => {
    const { hmm, mm, gpu } = make();
    const addr = written(mm);
    const page = pageAt(mm, addr);
    assert.is(hmm.pageIsolate(page), true);
    assert.is(hmm.pageIsolate(page), false);
    const one = addr;
    for (let i = 0; i < 2; i++) {
      assert.equal(reasons(mm, gpu, one, 1, MIGRATE_VMA_SELECT_SYSTEM), [REASON_NOT_ISOLATED]);
      hmm.verify();
    }
    assert.equal(reasons(mm, gpu, addr, 2, MIGRATE_VMA_SELECT_SYSTEM), [REASON_NOT_ISOLATED, REASON_NONE]);
    mm.madvise(addr, PAGE_SIZE, MADV_PAGEOUT);
    assert.is(pageAt(mm, addr), page);
    assert.equal([byteAt(mm, addr), byteAt(mm, addr + PAGE_SIZE)], [1, 2]);
    hmm.pagePutback(page);
    assert.throws(() => hmm.pagePutback(page), /pagePutback.*that you have isolated/);
    assert.equal(reasons(mm, gpu, addr, 1, MIGRATE_VMA_SELECT_SYSTEM), [REASON_NONE]);
    assert.is(byteAt(mm, addr), 1);
    hmm.verify();
  });

  test("an isolated page outlives its mapping and is freed when it is put back", () => {
    const { hmm, mm } = make();
    const addr = written(mm);
    const page = pageAt(mm, addr);
    hmm.pageIsolate(page);
    const free = hmm.freePages;
    mm.munmap(addr, 2 * PAGE_SIZE);
    assert.is(hmm.freePages, free + 1);
    hmm.pageBytes(page, (bytes) => assert.is(bytes[0], 1));
    hmm.pagePutback(page);
    assert.is(hmm.freePages, free + 2);
    assert.throws(() => hmm.pagePutback(page), /EINVAL/);
    hmm.verify();
  });

  test("device pages and a driver's own pages are on no list", () => {
    const { hmm, mm, gpu } = make();
    const addr = written(mm);
    gpu.toDevice(addr, addr + PAGE_SIZE);
    assert.is(hmm.pageIsolate(pageAt(mm, addr)), false);
    assert.throws(() => hmm.pagePutback(pageAt(mm, addr)), /EINVAL/);
    const own = hmm.allocPage();
    assert.is(hmm.pageIsolate(own), false);
    hmm.pageUnlock(own);
    hmm.pagePut(own);
  });

  test("one isolated page keeps a large folio in place, and the other pages may still be isolated", () => {
    const { hmm, mm, gpu } = make();
    const addr = advised(mm);
    write(mm, addr, 7);
    assert.ok(isHuge(mm, addr));
    const page = pageAt(mm, addr) + 5;
    assert.is(hmm.pageIsolate(page), true);
    const select = MIGRATE_VMA_SELECT_SYSTEM | MIGRATE_VMA_SELECT_COMPOUND;
    assert.equal(reasons(mm, gpu, addr, PAGES, select), [REASON_NOT_ISOLATED, REASON_NOT_ISOLATED]);
    assert.ok(isHuge(mm, addr));
    assert.is(hmm.pageIsolate(page), false);
    assert.is(hmm.pageIsolate(page + 1), true);
    hmm.pagePutback(page);
    hmm.pagePutback(page + 1);
    assert.equal(reasons(mm, gpu, addr, PAGES, select), [REASON_NONE, REASON_NONE]);
    assert.is(byteAt(mm, addr), 7);
    hmm.verify();
  });

  test("MADV_COLLAPSE does not collapse an isolated page", () => {
    const { hmm, mm } = make();
    const addr = advised(mm, 2 * PMD);
    mm.munmap(addr, PMD);
    const at = mm.mmap({ addr, length: PMD });
    write(mm, at, 1);
    const page = pageAt(mm, at);
    hmm.pageIsolate(page);
    assert.throws(() => mm.madvise(at, PMD, MADV_COLLAPSE), /EAGAIN/);
    hmm.pagePutback(page);
    mm.madvise(at, PMD, MADV_COLLAPSE);
    assert.ok(isHuge(mm, at));
    hmm.verify();
  });
}).run();
