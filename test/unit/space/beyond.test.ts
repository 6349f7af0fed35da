/** Ranges that end beyond user space: refused as Linux refuses them, or done as far as memory is mapped. */
import * as assert from "uvu/assert";
import {
  Hmm,
  HmmError,
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_PAGEOUT,
  MADV_WILLNEED,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  type Mm,
  PAGE_SIZE,
  PROT_READ,
} from "../../../src/index.ts";
import { TASK_SIZE } from "../../../assembly/uapi/page.ts";
import { onEachBuild } from "../../util/builds.ts";

const FLAGS = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
const NEAR = 0x10000000;
/** The last page of user space. */
const LAST = TASK_SIZE - PAGE_SIZE;
/** Lengths from NEAR on that end beyond user space: by a page, by NEAR, and beyond what page tables cover. */
const LENGTHS = [TASK_SIZE + PAGE_SIZE - NEAR, 2 ** 47, 2 ** 48];

/** A page at NEAR, one far away, and the last one that there is. */
function world(module: WebAssembly.Module): { hmm: Hmm; mm: Mm } {
  const hmm = Hmm.createSync(module, { systemMemory: 1 << 20, deviceMemory: 0, swap: 1 << 20 });
  const mm = hmm.createMm();
  for (const addr of [NEAR, 0x7f0000000000, LAST]) {
    mm.mmap({ addr, length: PAGE_SIZE, flags: FLAGS });
    mm.store32(addr, 7);
  }
  return { hmm, mm };
}

function codeOf(call: () => void): string {
  try {
    call();
  } catch (error) {
    if (error instanceof HmmError) return error.code;
    throw error;
  }
  return "done";
}

/** What is mapped, and what is there. */
function stateOf(mm: Mm): string {
  const vmas = mm.vmas().map(({ start, end, flags }) => [start, end, flags]);
  return JSON.stringify([vmas, mm.rss, NEAR, LAST].concat([mm.load32(NEAR), mm.load32(LAST)]));
}

const suites = onEachBuild("beyond user space", (test, module) => {
  test("munmap and mremap refuse the range, and change nothing", () => {
    for (const length of LENGTHS) {
      const { hmm, mm } = world(module);
      const before = stateOf(mm);
      assert.is(
        codeOf(() => mm.munmap(NEAR, length)),
        "EINVAL",
        `munmap ${length}`,
      );
      assert.is(
        codeOf(() => mm.munmap(LAST, 2 * PAGE_SIZE)),
        "EINVAL",
      );
      assert.is(
        codeOf(() => mm.munmap(TASK_SIZE, PAGE_SIZE)),
        "EINVAL",
      );
      assert.is(
        codeOf(() => void mm.mremap(NEAR, length, PAGE_SIZE)),
        "EINVAL",
        `mremap ${length}`,
      );
      const fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
      assert.is(
        codeOf(() => void mm.mremap(NEAR, PAGE_SIZE, 2 * PAGE_SIZE, fixed, LAST)),
        "EINVAL",
      );
      assert.is(stateOf(mm), before);
      hmm.verify();
      hmm.close();
    }
  });

  test("the last page of user space can be unmapped", () => {
    const { hmm, mm } = world(module);
    mm.munmap(LAST, PAGE_SIZE);
    assert.is(mm.vmas().length, 2);
    hmm.verify();
  });

  test("calls that report holes do the mapped part and answer ENOMEM", () => {
    const calls: [string, (mm: Mm, addr: number, length: number) => void][] = [
      ["mprotect", (mm, addr, length) => mm.mprotect(addr, length, PROT_READ)],
      ["mlock", (mm, addr, length) => mm.mlock(addr, length)],
      ["munlock", (mm, addr, length) => mm.munlock(addr, length)],
      ["msync", (mm, addr, length) => mm.msync(addr, length)],
      ["populate", (mm, addr, length) => mm.populate(addr, length)],
      ["mincore", (mm, addr, length) => void mm.mincore(addr, length)],
      ...[MADV_DONTNEED, MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED].map(
        (advice): [string, (mm: Mm, addr: number, length: number) => void] => [
          `madvise ${advice}`,
          (mm, addr, length) => mm.madvise(addr, length, advice),
        ],
      ),
    ];
    for (const [name, call] of calls) {
      for (const length of [2 * PAGE_SIZE, 2 ** 48]) {
        const { hmm, mm } = world(module);
        assert.is(
          codeOf(() => call(mm, LAST, length)),
          "ENOMEM",
          `${name} ${length}`,
        );
        if (name === "mprotect")
          assert.is(
            codeOf(() => mm.write(LAST, new Uint8Array(1))),
            "EFAULT",
          );
        if (name === "madvise 4") assert.is(mm.load32(LAST), 0);
        hmm.verify();
        hmm.close();
      }
    }
  });

  test("calls that want one kind of memory all over refuse it", () => {
    const { hmm, mm } = world(module);
    assert.is(
      codeOf(() => mm.uffdRegister(LAST, 2 * PAGE_SIZE)),
      "EINVAL",
    );
    assert.is(
      codeOf(() => void mm.pin(TASK_SIZE, 1)),
      "EFAULT",
    );
    assert.is(
      codeOf(() => mm.madvise(LAST, 2 ** 48, MADV_COLLAPSE)),
      "EINVAL",
    );
    assert.is(mm.pin(LAST, 2).pages.length, 1);
    hmm.verify();
  });
});

suites.run();
