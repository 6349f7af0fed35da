import * as assert from "uvu/assert";
import { PAGE_SIZE, PROT_READ, PROT_WRITE, VM_READ, VM_WRITE } from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";
import { errorOf, makeHmm } from "../../util/driver.ts";

onEachBuild("vma", (test, module) => {
  test("fields, and neighbors in order", () => {
    const mm = makeHmm(module).createMm();
    const addr = mm.mmap({ length: 6 * PAGE_SIZE });
    mm.mprotect(addr + 2 * PAGE_SIZE, 2 * PAGE_SIZE, PROT_READ);
    const [a, b, c] = mm.vmas();
    assert.equal(
      [a, b, c].map((vma) => [vma.start - addr, vma.end - addr, vma.prot]),
      [
        [0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE],
        [2 * PAGE_SIZE, 4 * PAGE_SIZE, PROT_READ],
        [4 * PAGE_SIZE, 6 * PAGE_SIZE, PROT_READ | PROT_WRITE],
      ],
    );
    assert.is(b.flags & (VM_READ | VM_WRITE), VM_READ);
    assert.is(b.pgoff, a.pgoff + 2);
    assert.is(b.file, 0);
    assert.not(b.special);
    assert.is(a.next!.start, b.start);
    assert.is(c.next, null);
  });

  test("a handle is stale once its mapping is gone, even if the slot is used again", () => {
    const mm = makeHmm(module).createMm();
    const addr = mm.mmap({ length: PAGE_SIZE });
    const vma = mm.findVma(addr)!;
    assert.not(vma.stale);
    mm.munmap(addr, PAGE_SIZE);
    assert.ok(vma.stale);
    const again = mm.mmap({ length: PAGE_SIZE });
    assert.ok(vma.stale);
    assert.not(mm.findVma(again)!.stale);
    const error = errorOf(() => vma.start)!;
    assert.instance(error, TypeError);
    assert.match(error.message, /vma is stale/);
  });

  test("a handle of a closed mm is stale", () => {
    const hmm = makeHmm(module);
    const mm = hmm.createMm();
    const vma = mm.findVma(mm.mmap({ length: PAGE_SIZE }))!;
    mm.close();
    assert.ok(vma.stale);
    const other = hmm.createMm();
    other.mmap({ length: PAGE_SIZE });
    assert.ok(vma.stale);
  });
}).run();
