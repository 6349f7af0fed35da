/** MAP_GROWSDOWN and MAP_LOCKED; and flags of mmap that have no effect, or are refused. */
import * as assert from "uvu/assert";
import {
  Hmm,
  HmmError,
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_GROWSDOWN,
  MAP_HUGE_2MB,
  MAP_HUGETLB,
  MAP_LOCKED,
  MAP_NONBLOCK,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_STACK,
  type Mm,
  PAGE_SIZE,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  VM_LOCKED,
} from "../../../src/index.ts";
import { onEachBuild } from "../../util/builds.ts";

const KIB = 1 << 10;
const MIB = 1 << 20;
const ANON = MAP_PRIVATE | MAP_ANONYMOUS;
/** stack_guard_gap: 256 pages. */
const GAP = MIB;
/** RLIMIT_STACK. */
const STACK_MAX = 8 * MIB;
const TOP = 2 ** 40;

const open = (module: WebAssembly.Module, hugetlb = 0): { hmm: Hmm; mm: Mm } => {
  const hmm = Hmm.createSync(module, { systemMemory: 16 * MIB, deviceMemory: 0, hugetlb });
  return { hmm, mm: hmm.createMm() };
};

function codeOf(call: () => void): string {
  try {
    call();
  } catch (error) {
    if (error instanceof HmmError) return error.code;
    throw error;
  }
  return "done";
}

/** A stack of one page that ends at TOP. */
const stackOf = (mm: Mm, flags = 0): number =>
  mm.mmap({ addr: TOP - PAGE_SIZE, length: PAGE_SIZE, flags: ANON | MAP_FIXED | MAP_GROWSDOWN | flags });
const write = (mm: Mm, addr: number): string => codeOf(() => mm.write(addr, new Uint8Array([1])));

/** Pages of locked mappings. */
const lockedPages = (mm: Mm): number =>
  mm
    .vmas()
    .filter((vma) => (vma.flags & VM_LOCKED) !== 0)
    .reduce((pages, vma) => pages + (vma.end - vma.start) / PAGE_SIZE, 0);

const suites = onEachBuild("stacks and mmap's flags", (test, module) => {
  test("a stack grows down to what a CPU accesses, and to nothing else", () => {
    const { hmm, mm } = open(module);
    const stack = stackOf(mm);
    assert.is(write(mm, stack), "done");
    assert.is(write(mm, stack - 5 * PAGE_SIZE + 100), "done");
    assert.equal(
      mm.vmas().map((vma) => [vma.start, vma.end]),
      [[TOP - 6 * PAGE_SIZE, TOP]],
    );
    assert.is(mm.rss.anon, 2, "only the page that was written came");
    assert.is(mm.load32(TOP - 4 * PAGE_SIZE), 0);
    mm.fault(TOP - 8 * PAGE_SIZE, { write: true });
    assert.is(mm.vmas()[0].start, TOP - 8 * PAGE_SIZE);
    assert.is(
      codeOf(() => void mm.pin(TOP - 9 * PAGE_SIZE, 1)),
      "EFAULT",
      "get_user_pages grows nothing",
    );
    assert.is(
      codeOf(() => mm.populate(TOP - 9 * PAGE_SIZE, PAGE_SIZE)),
      "ENOMEM",
    );
    assert.is(mm.vmas()[0].start, TOP - 8 * PAGE_SIZE);
    hmm.verify();
    hmm.close();
  });

  test("a stack grows to 8 MiB", () => {
    const { hmm, mm } = open(module);
    stackOf(mm);
    assert.is(write(mm, TOP - STACK_MAX - 1), "EFAULT");
    assert.is(mm.vmas()[0].start, TOP - PAGE_SIZE, "a failed access leaves it as it was");
    assert.is(write(mm, TOP - STACK_MAX), "done");
    assert.is(mm.vmas()[0].start, TOP - STACK_MAX);
    hmm.verify();
    hmm.close();
  });

  test("a stack keeps its distance from accessible memory below it", () => {
    for (const [prot, flags, reaches] of [
      [PROT_READ | PROT_WRITE, 0, false],
      [PROT_NONE, 0, true],
      [PROT_READ | PROT_WRITE, MAP_GROWSDOWN, true],
    ] as const) {
      const { hmm, mm } = open(module);
      stackOf(mm);
      const below = TOP - 2 * MIB;
      mm.mmap({ addr: below - PAGE_SIZE, length: PAGE_SIZE, prot, flags: ANON | MAP_FIXED | flags });
      assert.is(write(mm, below + GAP - PAGE_SIZE), reaches ? "done" : "EFAULT");
      assert.is(write(mm, below + GAP), "done");
      assert.is(write(mm, below), reaches ? "done" : "EFAULT");
      hmm.verify();
      hmm.close();
    }
  });

  test("mmap leaves the gap below a stack free, unless the address is fixed", () => {
    const { hmm, mm } = open(module);
    const other = mm.mmap({ length: PAGE_SIZE, flags: ANON | MAP_GROWSDOWN });
    const next = mm.mmap({ length: 16 * KIB, flags: ANON });
    assert.is(next + 16 * KIB, other - GAP, "the highest address below the gap");
    const stack = stackOf(mm);
    assert.is.not(mm.mmap({ addr: stack - GAP, length: PAGE_SIZE, flags: ANON }), stack - GAP);
    assert.is(
      mm.mmap({ addr: stack - GAP - PAGE_SIZE, length: PAGE_SIZE, flags: ANON }),
      stack - GAP - PAGE_SIZE,
    );
    const fixed = { addr: stack - PAGE_SIZE, length: PAGE_SIZE, flags: ANON | MAP_FIXED };
    assert.is(mm.mmap(fixed), stack - PAGE_SIZE);
    hmm.verify();
    hmm.close();
  });

  test("fork copies a stack, and both grow by themselves", () => {
    const { hmm, mm } = open(module);
    const stack = stackOf(mm);
    mm.store32(stack, 7);
    const child = mm.fork();
    assert.is(write(child, stack - PAGE_SIZE), "done");
    assert.is(child.load32(stack), 7);
    assert.is(mm.vmas()[0].start, stack);
    assert.is(write(mm, stack - 3 * PAGE_SIZE), "done");
    assert.is(child.vmas()[0].start, stack - PAGE_SIZE);
    hmm.verify();
    hmm.close();
  });

  test("only private anonymous memory of small pages grows", () => {
    const { hmm, mm } = open(module, 2 * MIB);
    const file = hmm.createFile({ bytes: PAGE_SIZE });
    for (const args of [
      { length: PAGE_SIZE, flags: MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN },
      { length: PAGE_SIZE, file, flags: MAP_PRIVATE | MAP_GROWSDOWN },
      { length: PAGE_SIZE, file, flags: MAP_SHARED | MAP_GROWSDOWN },
      { length: 2 * MIB, flags: ANON | MAP_HUGETLB | MAP_GROWSDOWN },
    ])
      assert.is(
        codeOf(() => void mm.mmap(args)),
        "EINVAL",
      );
    assert.is(mm.vmas().length, 0);
    hmm.close();
  });

  test("MAP_LOCKED makes locked memory that is there", () => {
    const { hmm, mm } = open(module, 2 * MIB);
    const addr = mm.mmap({ length: 2 * PAGE_SIZE, flags: ANON | MAP_LOCKED });
    assert.ok(mm.findVma(addr)!.flags & VM_LOCKED);
    assert.is(mm.rss.anon, 2);
    assert.is(lockedPages(mm), 2);
    assert.is(
      codeOf(() => mm.madvise(addr, PAGE_SIZE, MADV_DONTNEED)),
      "EINVAL",
    );
    const file = hmm.createFile({ bytes: 2 * PAGE_SIZE });
    mm.mmap({ length: 2 * PAGE_SIZE, file, flags: MAP_SHARED | MAP_LOCKED });
    assert.is(lockedPages(mm), 4);
    assert.is(mm.rss.shmem + mm.rss.file, 2);
    const huge = mm.mmap({ length: 2 * MIB, flags: ANON | MAP_HUGETLB | MAP_HUGE_2MB | MAP_LOCKED });
    assert.not(mm.findVma(huge)!.flags & VM_LOCKED, "hugetlb memory is never counted as locked");
    assert.ok(mm.lookupPte(huge), "but it is populated");
    mm.munmap(addr, PAGE_SIZE);
    assert.is(lockedPages(mm), 3);
    assert.is(lockedPages(mm.fork()), 0);
    hmm.verify();
    hmm.close();
  });

  test("a locked stack counts what it grows by, and populates only what is accessed", () => {
    const { hmm, mm } = open(module);
    const stack = stackOf(mm, MAP_LOCKED);
    assert.is(mm.rss.anon, 1);
    assert.is(write(mm, stack - 4 * PAGE_SIZE), "done");
    assert.is(lockedPages(mm), 5);
    assert.is(mm.rss.anon, 2);
    mm.munmap(stack - 4 * PAGE_SIZE, 5 * PAGE_SIZE);
    assert.is(lockedPages(mm), 0);
    hmm.verify();
    hmm.close();
  });

  test("flags without effect are taken, others refused by name", () => {
    const { hmm, mm } = open(module);
    const idle = MAP_NORESERVE | MAP_STACK | 0x800 | 0x1000;
    const addr = mm.mmap({ length: PAGE_SIZE, flags: ANON | idle });
    assert.is(mm.findVma(addr)!.flags, mm.findVma(mm.mmap({ length: PAGE_SIZE }))!.flags);
    mm.mmap({ length: PAGE_SIZE, flags: ANON | MAP_POPULATE | MAP_NONBLOCK });
    assert.is(mm.rss.anon, 0);
    const refused = [
      0x4,
      0x8,
      0x40,
      0x80,
      0x200,
      0x400,
      0x80000,
      0x200000,
      0x4000000,
      MAP_HUGE_2MB,
      0x80000000,
    ];
    for (const flag of refused) {
      assert.throws(() => mm.mmap({ length: PAGE_SIZE, flags: (ANON | flag) >>> 0 }), /EINVAL.*flags 0x/);
    }
    const gigantic = (ANON | MAP_HUGETLB | (30 << 26)) >>> 0;
    assert.is(
      codeOf(() => void mm.mmap({ length: PAGE_SIZE, flags: gigantic })),
      "EINVAL",
    );
    hmm.close();
  });
});

suites.run();
