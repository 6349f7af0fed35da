/** madvise's errors, in Linux's order. */
import * as assert from "uvu/assert";
import {
  Hmm,
  HmmError,
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_NORMAL,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  PAGE_SIZE,
  VM_FAULT_SIGBUS,
  hmmDevmemAdd,
  migrateVmaSetup,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";

const MIB = 1 << 20;
const HOLE = 2 ** 40;

function codeOf(call: () => void): string {
  try {
    call();
  } catch (error) {
    if (error instanceof HmmError) return error.code;
    throw error;
  }
  return "done";
}

onEachBuild("madvise's errors", (test, module) => {
  test("unknown advice is refused before the range is looked at", () => {
    const mm = Hmm.createSync(module, { systemMemory: MIB, deviceMemory: 0 }).createMm();
    const addr = mm.mmap({ length: PAGE_SIZE });
    // 16, 17, 24, 100 and 101 are Linux's DONTDUMP, DODUMP, DONTNEED_LOCKED, HWPOISON and SOFT_OFFLINE: not
    // built.
    for (const advice of [5, 7, 16, 17, 24, 26, 31, 32, 33, 100, 101, 102, 103, 999, 0xffffffff]) {
      for (const [at, length] of [
        [addr, PAGE_SIZE],
        [HOLE, PAGE_SIZE],
        [HOLE, 0],
      ])
        assert.is(
          codeOf(() => mm.madvise(at, length, advice)),
          "EINVAL",
          `advice ${advice} at ${at}`,
        );
    }
    for (const advice of [MADV_NORMAL, MADV_DONTNEED, MADV_COLD, MADV_COLLAPSE]) {
      assert.is(
        codeOf(() => mm.madvise(HOLE, PAGE_SIZE, advice)),
        "ENOMEM",
        `advice ${advice}`,
      );
      assert.is(
        codeOf(() => mm.madvise(HOLE, 0, advice)),
        "done",
      );
    }
  });

  test("MADV_COLLAPSE over a coherent device page is EINVAL, and goes on to the next 2 MiB", () => {
    const hmm = Hmm.createSync(module, { systemMemory: 12 * MIB, deviceMemory: 4 * MIB });
    const mm = hmm.createMm();
    const owner = {};
    const options = { coherent: true };
    const devmem = hmmDevmemAdd(hmm, { fault: () => VM_FAULT_SIGBUS }, owner, 2 * MIB, options);
    const addr = 0x100000000000;
    mm.mmap({ addr, length: 4 * MIB, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED });
    for (const at of [addr, addr + PAGE_SIZE, addr + 2 * MIB]) mm.store32(at, 7);
    {
      using _sem = mm.mmapSem.read();
      using m = migrateVmaSetup({ vma: mm.findVma(addr)!, start: addr, end: addr + PAGE_SIZE, owner });
      devmem.allocPages(m.src, m.dst);
      hmm.copyPages(m.src, m.dst);
      m.pages();
    }
    assert.is(
      codeOf(() => mm.madvise(addr, 4 * MIB, MADV_COLLAPSE)),
      "EINVAL",
    );
    const pages = (at: number): number => mm.lookupPte(at + PAGE_SIZE)?.pfn ?? 0;
    assert.is(pages(addr + 2 * MIB), mm.lookupPte(addr + 2 * MIB)!.pfn + 1, "the second one is huge");
    hmm.verify();
    hmm.close();
  });
}).run();
