/**
 * Where the HMM document of 2018 and the code of its time disagree: one test for each of the rows D4, D9, D10
 * and D12 of docs/linux.md, with what heteromem promises.
 */
import * as assert from "uvu/assert";
import {
  FAULT_SIGBUS,
  hmmDevmemRemove,
  MAP_ANONYMOUS,
  MAP_SHARED,
  MIGRATE_PFN_ERROR,
  migrateVma,
  REASON_FILE_PAGE,
  type HmmError,
} from "../../src/index.ts";
import { errorOf } from "../util/driver.ts";
import { Beyond, entries, filled, holds, P, page, pfnAt } from "./beyond.ts";

const scenarios = new Beyond();
const scenario = scenarios.add;

const STALE = 0x1234567;

scenario("D4 migrate_vma takes no mentries: start and end give the count", ({ hmm, mm, gpu }) => {
  const addr = filled(mm, 4);
  const src = new Uint32Array(6).fill(STALE);
  const dst = new Uint32Array(6).fill(STALE);
  const seen: number[] = [];
  using _sem = mm.mmapSem.read();
  const call = { vma: mm.findVma(addr), start: addr, end: addr + 4 * P, src, dst, owner: gpu };
  const { npages, moved } = migrateVma(
    {
      allocAndCopy: (_vma, from, to, start, end) => {
        seen.push((end - start) / P);
        gpu.devmem.allocPages(from.subarray(0, 4), to);
        hmm.copyPages(from.subarray(0, 4), to);
      },
      finalizeAndMap: () => {},
    },
    call,
  );
  assert.equal([npages, moved, ...seen], [4, 4, 4]);
  assert.equal([...src.subarray(4), ...dst.subarray(4)], [STALE, STALE, STALE, STALE], "nothing beyond");
  assert.throws(() =>
    migrateVma({ allocAndCopy() {}, finalizeAndMap() {} }, { ...call, src: src.subarray(0, 3) }),
  );
  holds(mm, addr, 4);
});

scenario("D9 MIGRATE_PFN_ERROR: the next CPU access is SIGBUS, the neighbors are unaffected", ({ mm }) => {
  const addr = filled(mm, 3);
  const { freePages } = mm.hmm;
  using _sem = mm.mmapSem.read();
  migrateVma(
    { allocAndCopy: (_vma, _src, dst) => void (dst[1] = MIGRATE_PFN_ERROR), finalizeAndMap: () => {} },
    { vma: mm.findVma(addr), start: addr, end: addr + 3 * P },
  );
  for (const access of [() => mm.load32(addr + P), () => mm.write(addr + P, page(0))]) {
    const error = errorOf(access) as HmmError;
    assert.equal([error.code, error.faultCode, error.address], ["EFAULT", FAULT_SIGBUS, addr + P]);
  }
  holds(mm, addr, 1);
  assert.equal(mm.read(addr + 2 * P, P), page(3));
  assert.is(mm.hmm.freePages, freePages + 1, "the page itself is gone");
  _sem.close();
  mm.munmap(addr + P, P);
  const again = mm.mmap({ addr: addr + P, length: P });
  assert.equal([again, mm.load32(again)], [addr + P, 0], "as good as new");
});

scenario("D10 pages of files and of shared memory do not go to private device memory", ({ hmm, mm, gpu }) => {
  using file = hmm.createFile({ bytes: P });
  file.write(0, page(1));
  const mapped = mm.mmap({ length: P, file });
  const shared = mm.mmap({ length: P, flags: MAP_SHARED | MAP_ANONYMOUS });
  mm.load32(mapped);
  mm.store32(shared, 7);
  for (const addr of [mapped, shared]) {
    const before = mm.lookupPte(addr);
    const result = gpu.toDevice(addr, addr + P);
    assert.equal([result.moved, result.reasons[0]], [0, REASON_FILE_PAGE]);
    assert.equal(mm.lookupPte(addr), before);
  }
  assert.is(gpu.devmem.usedPages, 0);
  assert.equal([mm.rss.file, mm.rss.shmem], [1, 1]);
});

scenario("D12 remove reports the pages that are still in use", ({ hmm, mm, gpu }) => {
  const addr = filled(mm, 3);
  gpu.toDevice(addr, addr + 3 * P);
  const held = pfnAt(mm, addr);
  hmm.pageGet(held);
  assert.equal(hmmDevmemRemove(gpu.devmem), { stillInUse: 1 });
  assert.equal(entries(mm, addr, 3), ["device w", "present w", "present w"]);
  hmm.pagePut(held);
  assert.equal(hmmDevmemRemove(gpu.devmem), { stillInUse: 0 });
  assert.ok(gpu.devmem.removed);
  holds(mm, addr, 3);
});

scenarios.run("the document's promises: device memory");
