/**
 * From setup to finalize, a migration's pages are locked and their contents do not change: every other user
 * waits, even if its own page table does not name the page yet.
 */
import * as assert from "uvu/assert";
import { MADV_PAGEOUT, MAP_PRIVATE, migrateVmaSetup } from "../../src/index.ts";
import { settled } from "../util/async-fixture.ts";
import { Beyond, codeOf, entry, filled, P, page, pfnAt } from "./beyond.ts";

const scenarios = new Beyond();
const scenario = scenarios.add;

scenario("a file's page: other processes' faults wait for the migration's end", ({ hmm, memcg, mm, gpu }) => {
  using file = hmm.createFile();
  file.write(0, page(3), { memcg });
  const [sharer, copier] = [hmm.createMm({ memcg }), hmm.createMm({ memcg })];
  const addr = mm.mmap({ length: P, file });
  const shared = sharer.mmap({ length: P, file });
  const copied = copier.mmap({ length: P, file, flags: MAP_PRIVATE });
  mm.load32(addr);
  {
    using _sem = mm.mmapSem.read();
    using m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + P, owner: gpu });
    assert.is(m.cpages, 1);
    const touches = [
      () => sharer.load32(shared),
      () => sharer.store32(shared, 1),
      () => copier.store32(copied, 1),
    ];
    for (const touch of touches) assert.is(codeOf(touch), "EAGAIN");
  }
  assert.equal(file.read(0, P), page(3));
  assert.equal(sharer.read(shared, P), page(3));
});

scenario(
  "a page of the swap cache: a process with a swap entry waits for the migration's end",
  async ({ mm, gpu }) => {
    const addr = filled(mm, 1);
    mm.madvise(addr, P, MADV_PAGEOUT);
    const child = mm.fork();
    mm.load32(addr);
    assert.is(entry(child, addr), "swap");
    let waiting: Promise<Uint8Array>;
    {
      using _sem = mm.mmapSem.read();
      using m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + P, owner: gpu });
      assert.is(m.cpages, 1);
      assert.is(
        codeOf(() => child.load32(addr)),
        "EAGAIN",
      );
      waiting = child.readAsync(addr, P);
      waiting.catch(() => {});
      assert.not(await settled(waiting));
    }
    assert.equal(await waiting, page(1));
    assert.is(pfnAt(child, addr), pfnAt(mm, addr));
  },
);

scenario("a file's page may go to another page of system memory", ({ hmm, memcg, mm, gpu }) => {
  using file = hmm.createFile();
  file.write(0, page(3), { memcg });
  const addr = mm.mmap({ length: P, file });
  mm.load32(addr);
  const before = pfnAt(mm, addr);
  {
    using _sem = mm.mmapSem.read();
    using m = migrateVmaSetup({ vma: mm.findVma(addr), start: addr, end: addr + P, owner: gpu });
    hmm.allocPages(m.src, m.dst);
    hmm.copyPages(m.src, m.dst);
    assert.is(m.pages(), 1);
  }
  assert.is.not(pfnAt(mm, addr), before);
  assert.equal(mm.read(addr, P), page(3));
  assert.equal(file.read(0, P), page(3));
  assert.equal([mm.rss.file, file.cachedPages], [1, 1]);
});

scenarios.run("locked pages");
