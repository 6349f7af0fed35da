/** Mutants of the operations on mappings: unmapping, fork, mprotect, mremap, files. */
import type { Mutant } from "./mutant.ts";

const core = (file: string): string => `assembly/core/${file}.ts`;

export const CORE_MAPPINGS: readonly Mutant[] = [
  {
    name: "mprotect-looks-at-every-other-entry",
    file: core("mapping/mprotect"),
    before: "& 5) != 5) break;",
    after: "& 1) != 1) break;",
    ask: ["unit/mprotect"],
  },
  {
    name: "unmapped-page-still-counted-as-resident",
    file: core("space/zap"),
    before: "    addRss(mm, folio, -1);\n    unmapPage(pfn, folio);\n    return;",
    after: "    unmapPage(pfn, folio);\n    return;",
    ask: ["golden/golden-7.3"],
  },
  {
    name: "dirty-bit-lost-at-the-first-write-to-a-clean-page",
    file: core("fault/cow"),
    before: "    if (folio.has(FOLIO_FILE)) folio.set(FOLIO_DIRTY);\n",
    after: "",
    ask: ["unit/file-mapping"],
  },
  {
    name: "unmap-announced-one-page-short",
    file: core("mapping/unmap"),
    before: "notifyStart(cmd, cmd.mm, start, end, MMU_NOTIFY_UNMAP, 0)",
    after: "notifyStart(cmd, cmd.mm, start, end - 4096, MMU_NOTIFY_UNMAP, 0)",
    ask: ["golden/basic"],
  },
  {
    name: "unmap-announced-after-the-change",
    file: core("mapping/unmap"),
    before:
      "  if (!notifyStart(cmd, cmd.mm, start, end, MMU_NOTIFY_UNMAP, 0)) return REQUEST;\n" +
      "  removeVmas(mm, start, end);\n",
    after:
      "  removeVmas(mm, start, end);\n" +
      "  if (!notifyStart(cmd, cmd.mm, start, end, MMU_NOTIFY_UNMAP, 0)) return REQUEST;\n",
    ask: ["scenarios/document"],
  },
  {
    name: "fork-keeps-the-write-bit",
    file: core("mapping/lifecycle"),
    before: "pte &= ~(<u64>(PTE_WRITE | PTE_EXCLUSIVE));",
    after: "pte &= ~(<u64>PTE_EXCLUSIVE);",
    ask: ["golden/basic"],
  },
  {
    name: "fork-keeps-the-exclusive-mark",
    file: core("mapping/lifecycle"),
    before: "  if (cow) folio.clear(FOLIO_ANON_EXCLUSIVE);\n",
    after: "",
    ask: ["golden/basic"],
  },
  {
    name: "fork-without-a-reference",
    file: core("mapping/lifecycle"),
    before: "  folio.refs++;\n  folio.maps++;\n  if (cow)",
    after: "  folio.maps++;\n  if (cow)",
    ask: ["golden/basic"],
  },
  {
    name: "fork-forgets-that-a-migrating-page-is-shared",
    file: core("mapping/lifecycle"),
    before: "    folio.set(FOLIO_MIGRATION_SHARED);\n",
    after: "",
    ask: ["unit/migrate-shared"],
  },
  {
    name: "mprotect-makes-shared-pages-writable",
    file: core("mapping/mprotect"),
    before: "return folio.has(FOLIO_ANON_EXCLUSIVE);",
    after: "return folio.has(FOLIO_ANON);",
    ask: ["golden/golden-7.3"],
  },
  {
    name: "mremap-forgets-the-last-page",
    file: core("mapping/mremap"),
    before: "moveEntries(mm, cmd.oldAddr, end, cmd.newAddr);",
    after: "moveEntries(mm, cmd.oldAddr, end - PAGE_SIZE, cmd.newAddr);",
    ask: ["golden/basic"],
  },
  {
    name: "mremap-leaves-tables-behind-when-it-fails",
    file: core("mapping/mremap"),
    before: "    freeTablesOfGap(mm, cmd.newAddr, cmd.newAddr + cmd.newLength);\n",
    after: "",
    ask: ["leak"],
  },
  {
    name: "munmap-beyond-user-space",
    file: core("mapping/unmap"),
    before: "    if (end > USER_END) return -EINVAL;\n",
    after: "",
    ask: ["unit/beyond"],
  },
  {
    name: "stack-grows-into-the-guard-gap",
    file: core("space/stack"),
    before: "addr - prev.end < STACK_GUARD_GAP",
    after: "addr == prev.end",
    ask: ["unit/stack"],
  },
  {
    name: "mmap-takes-the-guard-gap",
    file: core("mapping/mmap"),
    before: "ceiling = min(ceiling, startWithGap(vma));",
    after: "ceiling = min(ceiling, vma.start);",
    ask: ["unit/stack"],
  },
  {
    name: "locked-mapping-is-not-populated",
    file: core("mapping/mmap"),
    before: "cmd.flags & MAP_LOCKED || (cmd.flags",
    after: "(cmd.flags",
    ask: ["unit/stack"],
  },
  {
    name: "second-mapping-of-private-memory",
    file: core("mapping/mremap"),
    before: "if (!cmd.oldLength && !(vma.flags & (VM_SHARED | VM_MAYSHARE))) return -EINVAL;",
    after: "",
    ask: ["unit/file-mapping"],
  },
  {
    name: "unknown-advice-is-looked-up-in-the-range",
    file: core("mapping/madvise"),
    before: "  if (!isAdvice(cmd.advice)) return -EINVAL;\n",
    after: "",
    ask: ["unit/advice"],
  },
  {
    name: "walk-looks-into-every-gigabyte-of-a-hole",
    file: core("table/pagetable"),
    before: "  if (!pud) return ((addr >> PGD_SHIFT) + 1) << PGD_SHIFT;\n",
    after: "  if (!pud) return ((addr >> PMD_SHIFT) + 1) << PMD_SHIFT;\n",
    ask: ["unit/sparse"],
  },
  {
    name: "truncate-leaves-the-last-page",
    file: core("mapping/truncate"),
    before: "const first = (cmd.end + 4095) >> 12;",
    after: "const first = (cmd.end + 4096) >> 12;",
    ask: ["golden/random-files"],
  },
  {
    name: "hole-leaves-the-last-byte",
    file: core("mapping/truncate"),
    before: "if (to) zeroPart(file, end >> 12, 0, to);",
    after: "if (to) zeroPart(file, end >> 12, 0, to - 1);",
    ask: ["unit/file"],
  },
  {
    name: "msync-leaves-the-write-bit",
    file: core("mapping/msync"),
    before: "pte & ~(<u64>(PTE_WRITE | PTE_DIRTY))",
    after: "pte & ~(<u64>PTE_DIRTY)",
    ask: ["unit/file-mapping"],
  },
  {
    name: "file-page-dropped-but-held",
    file: core("space/file"),
    before: "      putPage(ptePfn(entry));\n",
    after: "",
    ask: ["unit/file"],
  },
  {
    name: "file-does-not-grow-by-a-write",
    file: core("access/file-io"),
    before: "  if (done) file.bytes = max(file.bytes, start + done);\n",
    after: "",
    ask: ["unit/file"],
  },
];
