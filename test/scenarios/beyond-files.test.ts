/**
 * Files, swap space and userfaultfd, beyond the kernel's own tests: scenarios E24, E36, E46, E47, E50, E78
 * and E79.
 */
import * as assert from "uvu/assert";
import {
  EFAULT,
  FAULT_SIGBUS,
  HMM_PFN_REQ_FAULT,
  hmmPfnToPage,
  HmmRange,
  hmmRangeFault,
  hmmVmaFault,
  MADV_MERGEABLE,
  MADV_PAGEOUT,
  MAP_PRIVATE,
  MIGRATE_PFN_MIGRATE,
  MIGRATE_PFN_VALID,
  migrateVmaSetup,
  MMU_NOTIFY_CLEAR,
  REASON_FILE_PAGE,
  REASON_HOLE_NOT_ANON,
  REASON_NOT_PRESENT,
  REASON_UFFD,
  type HmmError,
  type MigrateResult,
} from "../../src/index.ts";
import { errorOf } from "../util/driver.ts";
import {
  Beyond,
  entries,
  entry,
  filled,
  flagsOf,
  holds,
  listen,
  P,
  page,
  pfnAt,
  type World,
} from "./beyond.ts";

const scenarios = new Beyond();
const scenario = scenarios.add;

/** Calls hmmRangeFault over n pages. */
function rangeFault({ mm }: World, start: number, n: number, defaultFlags = 0): [number, Uint32Array] {
  const pfns = new Uint32Array(n);
  using _sem = mm.mmapSem.read();
  return [hmmRangeFault({ mm, start, end: start + n * P, pfns, defaultFlags }), pfns];
}

scenario("E24 a swapped page: a snapshot shows nothing, a fault reads it back", (world) => {
  const { mm } = world;
  const addr = filled(mm, 4);
  mm.madvise(addr + P, 2 * P, MADV_PAGEOUT);
  assert.equal(entries(mm, addr, 4), ["present w", "swap", "swap", "present w"]);
  assert.equal([mm.rss.anon, mm.rss.swap], [2, 2]);
  const [seen, pfns] = rangeFault(world, addr, 4);
  assert.is(seen, 0);
  assert.equal([pfns[1], pfns[2]], [0, 0]);
  assert.is(hmmPfnToPage(pfns[0]), pfnAt(mm, addr));
  const [faulted, now] = rangeFault(world, addr, 4, HMM_PFN_REQ_FAULT);
  assert.is(faulted, 0);
  for (let i = 0; i < 4; i++) assert.is(hmmPfnToPage(now[i]), pfnAt(mm, addr + i * P));
  assert.is(mm.hmm.stats.faults.swap, 2);
  assert.equal([mm.rss.anon, mm.rss.swap], [4, 0]);
  holds(mm, addr, 4);
});

scenario("E36 missing memory of a userfaultfd range is an error for the device", (world) => {
  const { mm } = world;
  const addr = mm.mmap({ length: 4 * P });
  mm.store32(addr, 5);
  mm.uffdRegister(addr, 4 * P);
  const [seen, pfns] = rangeFault(world, addr, 4);
  assert.is(seen, 0);
  assert.equal([...pfns].slice(1), [0, 0, 0]);
  assert.is(rangeFault(world, addr, 4, HMM_PFN_REQ_FAULT)[0], -EFAULT);
  assert.is(rangeFault(world, addr, 1, HMM_PFN_REQ_FAULT)[0], 0, "what is there is not missing");
  {
    using _sem = mm.mmapSem.read();
    const slots = new Uint32Array(4);
    assert.is(hmmVmaFault(mm.findVma(addr), new HmmRange(), addr, addr + 4 * P, slots, false, true), -EFAULT);
  }
  assert.equal(entries(mm, addr, 4), ["present w", "none", "none", "none"]);
  mm.uffdUnregister(addr, 4 * P);
  assert.is(rangeFault(world, addr, 4, HMM_PFN_REQ_FAULT)[0], 0);
});

scenario("E46 a file's page is collected, copied, refused and restored; a private copy migrates", (world) => {
  const { hmm, mm, gpu } = world;
  using file = hmm.createFile({ bytes: 3 * P });
  file.write(0, page(1));
  file.write(P, page(2));
  file.write(2 * P, page(3));
  const addr = mm.mmap({ length: 3 * P, file, flags: MAP_PRIVATE });
  hmm.faultAround = P;
  mm.load32(addr);
  mm.store32(addr + P, 0x09090909);
  assert.equal(entries(mm, addr, 3), ["present", "present w", "none"]);
  const before = mm.lookupPte(addr);
  using _sem = mm.mmapSem.read();
  const m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + 3 * P, owner: gpu });
  assert.equal(entries(mm, addr, 3), ["migration", "migration w", "none"]);
  const candidate = MIGRATE_PFN_VALID | MIGRATE_PFN_MIGRATE;
  assert.is(m.src[0] & candidate, candidate);
  gpu.devmem.allocPages(m.src, m.dst);
  assert.is(hmm.copyPages(m.src, m.dst), 2, "copied in vain");
  assert.is(m.pages(), 1);
  m.finalize();
  assert.equal([...m.reasons], [REASON_FILE_PAGE, 0, REASON_HOLE_NOT_ANON]);
  assert.equal(mm.lookupPte(addr), before);
  assert.is(entry(mm, addr + P), "device w");
  assert.equal(file.read(0, 2 * P).subarray(P), page(2), "the file keeps its own page");
  assert.equal(mm.read(addr, P), page(1));
  assert.is(mm.load32(addr + P), 0x09090909);
  assert.equal([mm.rss.file, mm.rss.anon], [1, 1]);
});

scenario("E47 a migration drops a page's swap cache, unless another entry needs it", (world) => {
  const { hmm, mm, gpu } = world;
  const addr = filled(mm, 1);
  mm.madvise(addr, P, MADV_PAGEOUT);
  const [swapped] = gpu.toDevice(addr, addr + P).reasons;
  assert.is(swapped, REASON_NOT_PRESENT);
  const child = mm.fork();
  mm.load32(addr);
  const cached = pfnAt(mm, addr);
  assert.equal([entry(mm, addr), entry(child, addr)], ["present", "swap"]);
  assert.ok(flagsOf(hmm, cached).includes("swap-cache"));
  const before = mm.lookupPte(addr);
  assert.is(gpu.toDevice(addr, addr + P).reasons[0], REASON_FILE_PAGE);
  assert.equal(mm.lookupPte(addr), before);
  child.close(); // were the child to read first, the page would leave the cache with its slot's last entry
  assert.ok(flagsOf(hmm, cached).includes("swap-cache"), "still, though nobody needs it");
  const result: MigrateResult = gpu.toDevice(addr, addr + P);
  assert.is(result.moved, 1);
  assert.is(entry(mm, addr), "device");
  holds(mm, addr, 1);
});

scenario("E50 a hole of a userfaultfd range is dropped without a userfaultfd event", (world) => {
  const { mm, gpu } = world;
  const addr = mm.mmap({ length: 2 * P });
  mm.store32(addr, 5);
  mm.uffdRegister(addr, 2 * P);
  const { total } = mm.faults;
  const result = gpu.toDevice(addr, addr + 2 * P);
  assert.equal([result.cpages, result.moved], [2, 1]);
  assert.equal([...result.reasons], [0, REASON_UFFD]);
  assert.equal(entries(mm, addr, 2), ["device w", "none"]);
  assert.is(mm.faults.total, total);
  assert.is(mm.rss.anon, 1);
  assert.is(gpu.freed.length, 1, "its destination");
});

scenario("E78 truncation tells the mirrors of all processes that map the file, without mmapSem", (world) => {
  const { hmm, memcg, mm, gpu } = world;
  using file = hmm.createFile();
  file.write(0, page(1), { memcg });
  file.write(3 * P, page(4), { memcg });
  const other = hmm.createMm({ memcg });
  const addr = mm.mmap({ length: 4 * P, file });
  const theirs = other.mmap({ length: 2 * P, file, offset: 2 * P, flags: MAP_PRIVATE });
  const modes: string[] = [];
  const mine = listen(mm, { onUpdate: () => modes.push(mm.mmapSem.mode) });
  const second = listen(other, { onUpdate: () => modes.push(other.mmapSem.mode) });
  other.store32(theirs + P, 7); // a private copy
  const [answer, pfns] = rangeFault(world, addr, 4, HMM_PFN_REQ_FAULT);
  assert.is(answer, 0);
  gpu.table.map(addr, pfns);
  assert.is(gpu.table.entries, 4);
  for (const { heard } of [mine, second]) heard.length = 0;
  modes.length = 0;
  file.truncate(P + 1);
  const clear = (start: number, n: number): unknown => ({
    start,
    end: start + n * P,
    event: MMU_NOTIFY_CLEAR,
  });
  // The second event is for private copies made in between.
  assert.equal(mine.heard, [clear(addr + 2 * P, 2), clear(addr + 2 * P, 2)]);
  assert.equal(second.heard, [clear(theirs, 2), clear(theirs, 2)]);
  assert.equal(modes, ["free", "free", "free", "free"]);
  assert.is(gpu.table.entries, 2);
  assert.equal(entries(mm, addr, 4).slice(2), ["none", "none"]);
  assert.equal(entries(other, theirs, 2), ["none", "none"]);
  assert.is((errorOf(() => mm.load32(addr + 2 * P)) as HmmError).faultCode, FAULT_SIGBUS);
  assert.equal([file.cachedPages, mm.rss.file, other.rss.total], [2, 2, 0]);
  mm.munmap(addr, 4 * P);
});

scenario("E79 two pages are merged: their mirrors are told, and both entries are read-only", (world) => {
  const { hmm, memcg, mm, gpu } = world;
  const addr = filled(mm, 2);
  mm.write(addr + P, page(1));
  mm.write(addr, page(1));
  mm.madvise(addr, 2 * P, MADV_MERGEABLE);
  const [answer, pfns] = rangeFault(world, addr, 2, HMM_PFN_REQ_FAULT);
  assert.is(answer, 0);
  gpu.table.map(addr, pfns);
  const { heard } = listen(mm);
  const charged = memcg.usage;
  assert.equal(hmm.ksmScan(2), { pagesShared: 1, pagesSharing: 1 });
  const clear = (start: number): unknown => ({ start, end: start + P, event: MMU_NOTIFY_CLEAR });
  // The second page is protected; the first is protected and replaced.
  assert.equal(heard, [clear(addr + P), clear(addr), clear(addr)]);
  assert.is(gpu.table.entries, 0);
  assert.equal(entries(mm, addr, 2), ["present", "present"]);
  assert.is(pfnAt(mm, addr), pfnAt(mm, addr + P));
  assert.equal([mm.rss.anon, memcg.usage], [2, charged - 1]);
  holds(mm, addr, 1);
  mm.munmap(addr, 2 * P);
});

scenarios.run("beyond: files, swap space, userfaultfd");
