/** Mutants of huge pages, hugetlb, KSM and device-coherent memory. */
import type { Mutant } from "./mutant.ts";

const core = (file: string): string => `assembly/core/${file}.ts`;

export const CORE_HUGE: readonly Mutant[] = [
  {
    name: "huge-source-falls-apart-under-its-holder",
    file: core("migrate/finalize"),
    before: "  if (!largeCounts(head, 1, 0, FOLIO_MIGRATION_SHARED)) return 0;\n",
    after: "",
    ask: ["unit/compound-race"],
  },
  {
    name: "huge-page-is-as-its-first-entry-says",
    file: core("migrate/huge"),
    before: " || !isRun(table)) return 0;",
    after: ") return 0;",
    ask: ["unit/compound-alike"],
  },
  {
    name: "huge-page-of-several-is-taken-as-one-process's",
    file: core("migrate/huge"),
    before: "!largeCounts(head, 1, 1, ~FOLIO_LARGE",
    after: "!largeAll(head, ~FOLIO_LARGE",
    ask: ["unit/compound-alike"],
  },
  {
    name: "words-behind-a-unit-are-not-looked-at",
    file: core("migrate/destinations"),
    before: "if (!single) i = skipZeros(dst, i, npages);",
    after: "if (!single) i += LARGE_PAGES - 1;",
    ask: ["unit/compound-alike"],
  },
  {
    name: "zeros-behind-a-unit-reach-too-far",
    file: core("migrate/destinations"),
    before: "if (v128.any_true(v128.or(one, two))) break;",
    after: "if (v128.any_true(two)) break;",
    ask: ["unit/compound-alike"],
  },
  {
    name: "queue-of-freed-pages-ends-in-the-middle-of-a-huge-page",
    file: core("frame/page-free"),
    before: "    record = i32x4.add(record, i32x4(0, 0, queued, 0));\n",
    after: "",
    ask: ["unit/compound-alike"],
  },
  {
    name: "copy-of-a-huge-page-stops-early",
    file: core("frame/frame"),
    before: "memory.copy(frameOf(to), frameOf(from), n << 12)",
    after: "memory.copy(frameOf(to), frameOf(from), (n - 1) << 12)",
    ask: ["unit/compound-race"],
  },
  {
    name: "huge-page-that-is-pinned-migrates",
    file: core("frame/large"),
    before: "const counts = i32x4(FOLIO_COUNT_MASK, FOLIO_COUNT_MASK, 0, 0);",
    after: "const counts = i32x4(0, FOLIO_COUNT_MASK, 0, 0);",
    ask: ["unit/compound"],
  },
  {
    name: "huge-destination-that-somebody-uses",
    file: core("frame/large"),
    before: "  if (!except) return alike(head, flagBits(mask), flagBits(flags));\n",
    after: "  if (!except) return true;\n",
    ask: ["unit/compound"],
  },
  {
    name: "split-of-a-huge-mapping-is-a-secret",
    file: core("operation/split"),
    before: "  if (!innerStart(cmd, vma.mmId, from, from + PMD_SIZE)) return REQUEST;\n",
    after: "",
    ask: ["unit/huge"],
  },
  {
    name: "zeros-of-a-split-huge-page-stay",
    file: core("operation/split"),
    before: "|| !isZeroed(pfn)) continue;",
    after: "|| isZeroed(pfn)) continue;",
    ask: ["unit/huge"],
  },
  {
    name: "shared-huge-page-written-in-place",
    file: core("fault/huge"),
    before: "(folioOf(head).has(FOLIO_ANON_EXCLUSIVE) || largeRefs(head) == LARGE_PAGES)",
    after: "true",
    ask: ["unit/huge"],
  },
  {
    name: "huge-zero-page-stays-for-ever",
    file: core("table/huge"),
    before: "  if (maps) return;\n",
    after: "  return;\n",
    ask: ["unit/huge"],
  },
  {
    name: "fork-forgets-a-mapping-of-the-huge-zero-page",
    file: core("mapping/lifecycle"),
    before: "    if (isHugeZero(table)) hugeZeroGet();\n",
    after: "",
    ask: ["unit/huge-random-scarce"],
  },
  {
    name: "huge-page-freed-with-its-first-part",
    file: core("frame/page-alloc"),
    before: "  if (live) return;\n",
    after: "",
    ask: ["unit/huge"],
  },
  {
    name: "huge-page-moved-by-an-entry",
    file: core("mapping/mremap"),
    before: "return ((addr | to) & HUGE_MASK) == 0 && addr + PMD_SIZE <= end;",
    after: "return false;",
    ask: ["unit/huge"],
  },
  {
    name: "collapse-of-a-page-that-somebody-holds",
    file: core("mapping/collapse"),
    before: " || isHeld(ptePfn(pte), folio)",
    after: "",
    ask: ["unit/huge-advice"],
  },
  {
    name: "collapse-goes-on-after-a-failed-swap-in",
    file: core("mapping/collapse"),
    before: "return result == -EAGAIN ? EAGAIN : STOPS | EINVAL;",
    after: "return result == -EAGAIN ? EAGAIN : EINVAL;",
    ask: ["unit/huge-advice"],
  },
  {
    name: "mprotect-gives-hugetlb-its-write-bit-back",
    file: core("mapping/mprotect"),
    before: " || vma.flags & VM_HUGETLB) return false;",
    after: ") return false;",
    ask: ["unit/hugetlb"],
  },
  {
    name: "fork-of-hugetlb-tells-a-protection",
    file: core("mapping/lifecycle"),
    before: "vma.flags & VM_HUGETLB ? MMU_NOTIFY_CLEAR : MMU_NOTIFY_PROTECTION_PAGE",
    after: "vma.flags & VM_HUGETLB ? MMU_NOTIFY_PROTECTION_PAGE : MMU_NOTIFY_PROTECTION_PAGE",
    ask: ["unit/hugetlb"],
  },
  {
    name: "unit-stays-locked",
    file: core("migrate/huge"),
    before: "    letGo(m, i + j, head + j);\n",
    after: "    putPage(head + j);\n",
    ask: ["unit/compound"],
  },
  {
    name: "unit-forgets-that-it-is-huge",
    file: core("space/migration"),
    before: "const flags = kept & (PTE_WRITE | PTE_NO_ACCESS | PTE_HUGE);",
    after: "const flags = kept & (PTE_WRITE | PTE_NO_ACCESS);",
    ask: ["unit/compound"],
  },
  {
    name: "unit-that-somebody-holds-moves",
    file: core("migrate/huge"),
    before: "    if (folioOf(pfn).refcount > expectedRefs(pfn, m.faultPage)) return REASON_PINNED;\n",
    after: "",
    ask: ["unit/compound"],
  },
  {
    name: "hugetlb-pages-promised-twice",
    file: core("mapping/mmap"),
    before: " + hugetlbReserved() <= ",
    after: " <= ",
    ask: ["unit/hugetlb"],
  },
  {
    name: "hugetlb-page-cut",
    file: core("mapping/unmap"),
    before: "      if (cutsHugetlb(vma, start)) return -EINVAL;\n",
    after: "",
    ask: ["unit/hugetlb"],
  },
  {
    name: "merged-page-written-in-place",
    file: core("fault/common"),
    before: "if (folio.has(FOLIO_KSM | FOLIO_LOCKED)) return false;",
    after: "if (folio.has(FOLIO_LOCKED)) return false;",
    ask: ["unit/ksm"],
  },
  {
    name: "merging-of-a-page-that-somebody-holds",
    file: core("ksm/merge"),
    before: " + (folio.has(FOLIO_SWAP_CACHE) ? 1 : 0)) result = REFUSED;",
    after: " + (folio.has(FOLIO_SWAP_CACHE) ? 1 : 0)) result = 0;",
    ask: ["unit/ksm"],
  },
  {
    name: "coherent-memory-taken-for-private",
    file: core("frame/coherent"),
    before: "(zoneOf(zoneOfPfn(pfn)).flags & ZONE_FLAG_COHERENT) != 0",
    after: "false",
    ask: ["unit/coherent"],
  },
  {
    name: "never-merged-memory-enters-its-process",
    file: core("mapping/madvise"),
    before: "if (cmd.advice == MADV_MERGEABLE && !(vma.flags & NEVER_MERGED)) ksmEnter(mm);",
    after: "if (cmd.advice == MADV_MERGEABLE) ksmEnter(mm);",
    ask: ["unit/ksm"],
  },
  {
    name: "charge-before-the-anon-vma-of-a-huge-hole",
    file: core("migrate/hole"),
    before: `  if (!anonVmaPrepare(vma)) return REASON_NO_ANON_VMA;
  const table = walkAlloc(mm.pgd, m.mm, addr);
  if (!table) return REASON_NO_TABLE;
  if (!memcgCharge(mm.memcg, LARGE_PAGES)) {
    if (!there) dropLeaf(mm.pgd, addr);
    return REASON_MEMCG_LIMIT;
  }
`,
    after: `  const table = walkAlloc(mm.pgd, m.mm, addr);
  if (!table) return REASON_NO_TABLE;
  if (!memcgCharge(mm.memcg, LARGE_PAGES)) {
    if (!there) dropLeaf(mm.pgd, addr);
    return REASON_MEMCG_LIMIT;
  }
  if (!anonVmaPrepare(vma)) return REASON_NO_ANON_VMA;
`,
    ask: ["unit/migrate-hole"],
  },
  {
    name: "allocation-of-nothing-opens-a-block",
    file: core("frame/page-alloc"),
    before: "  if (!taken) return;\n",
    after: "",
    ask: ["unit/migrate-vma"],
  },
  {
    name: "unit-splits-what-took-its-place",
    file: core("migrate/huge"),
    before: "if (table && isHuge(table) && ptePfn(load<u64>(table)) == head) splitLeaf(table);",
    after: "if (table && isHuge(table)) splitLeaf(table);",
    ask: ["unit/compound-race"],
  },
];
