/** Mutants of what is below the operations: tables, frames, charges, the reverse map, swap space, faults. */
import type { Mutant } from "./mutant.ts";

const core = (file: string): string => `assembly/core/${file}.ts`;

export const CORE_MEMORY: readonly Mutant[] = [
  {
    name: "table-object-not-zeroed",
    file: core("pool"),
    before: "  zeroObject(object, size);\n",
    after: "",
  },
  {
    name: "arena-block-too-small",
    file: core("arena"),
    before: "if (room < size) continue;",
    after: "if (room + 8 < size) continue;",
    ask: ["unit/engine"],
  },
  {
    name: "block-off-the-list-when-a-frame-comes-back",
    file: core("page-alloc"),
    before: "  if (!before) listPush(changetype<usize>(z) + ZONE_PARTIAL_BLOCKS, block);\n",
    after: "",
    ask: ["unit/devmem"],
  },
  {
    name: "freed-device-page-reported-twice",
    file: core("page-alloc"),
    before: "  z.freedHead = pfn;\n  if (!pfn) z.freedTail = 0;",
    after: "  if (!pfn) z.freedHead = z.freedTail = 0;",
  },
  {
    name: "own-device-memory-one-page-short",
    file: core("zone"),
    before: "(zone.pfnEnd - zone.pfnFirst);",
    after: "(zone.pfnEnd - zone.pfnFirst - 1);",
    ask: ["unit/devmem"],
  },
  {
    name: "page-freed-but-charged",
    file: core("page-alloc"),
    before: "  if (folio.memcg) memcgUncharge(folio.memcg);\n",
    after: "",
  },
  {
    name: "new-page-not-charged",
    file: core("fault-base"),
    before: "if (pfn) folioOf(pfn).memcg = mm.memcg;",
    after: "if (pfn) folioOf(pfn).memcg = 0;",
  },
  {
    name: "charge-counted-before-the-limit-is-looked-at",
    file: core("memcg"),
    before: "  if (!memcgHasRoom(id, pages)) {\n    exhausted(",
    after:
      "  if (!memcgHasRoom(id, pages)) {\n    store<u32>(group, load<u32>(group, MEMCG_USAGE) + 1, MEMCG_USAGE);\n    exhausted(",
    ask: ["unit/engine"],
  },
  {
    name: "charge-one-page-over-the-limit",
    file: core("memcg"),
    before: "<u64>load<u32>(group, MEMCG_USAGE) + pages <= ",
    after: "<u64>load<u32>(group, MEMCG_USAGE) + pages <= 1 + ",
    ask: ["unit/engine"],
  },
  {
    name: "reverse-map-link-not-in-the-list",
    file: core("rmap"),
    before: "  treeInsert(anonVmaAt(anonId), link);\n",
    after: "",
  },
  {
    name: "reverse-map-stops-one-page-early",
    file: core("rmap"),
    before: "if (pgoff - vma.pgoff < vma.pages) return link;",
    after: "if (pgoff - vma.pgoff + 1 < vma.pages) return link;",
  },
  {
    name: "mappings-merge-whatever-their-offsets",
    file: core("vma-merge"),
    before: "anonVmasAgree(anonVma, prev.anonVma, prev) && pgoffOf(prev, start) == pgoff",
    after: "anonVmasAgree(anonVma, prev.anonVma, prev)",
  },
  {
    name: "zero-page-handed-out-writable",
    file: core("fault"),
    before: "PTE_PRESENT | PTE_YOUNG | PTE_SPECIAL | protection(vma)",
    after: "PTE_PRESENT | PTE_WRITE | PTE_YOUNG | PTE_SPECIAL | protection(vma)",
  },
  {
    name: "new-page-not-zeroed",
    file: core("fault"),
    before: "  zeroFrame(pfn);\n  addNewAnon",
    after: "  addNewAnon",
  },
  {
    name: "copy-on-write-without-the-copy",
    file: core("fault"),
    before: "  else copyFrame(copy, pfn);\n",
    after: "",
  },
  {
    name: "copy-on-write-writes-a-page-with-another-reference",
    file: core("fault"),
    before: "  return folio.refcount == 1;\n",
    after: "  return folio.refcount <= 2;\n",
  },
  {
    name: "run-of-writes-to-pages-with-another-reference",
    file: core("fault-run"),
    before: "      if (folio.refcount != 1) break;\n",
    after: "      if (folio.refcount > 2) break;\n",
    ask: ["unit/populate"],
  },
  {
    name: "run-of-copies-keeps-its-pages",
    file: core("fault-run"),
    before: "load<u64>(changetype<usize>(old)) - ONE);",
    after: "load<u64>(changetype<usize>(old)));",
    ask: ["unit/populate"],
  },
  {
    name: "fault-page-without-a-reference",
    file: core("fault"),
    before: "  getPage(pfn);\n  cmd.faultPage = pfn;",
    after: "  cmd.faultPage = pfn;",
  },
  {
    name: "exclusive-entry-taken-back-without-a-word",
    file: core("fault"),
    before:
      "  if (!notifyStart(cmd, vma.mmId, addr, addr + 4096, MMU_NOTIFY_EXCLUSIVE, 0)) return REQUEST;\n",
    after: "",
    ask: ["unit/exclusive"],
  },
  {
    name: "private-write-goes-to-the-file",
    file: core("fault-file"),
    before: "if (write && !(vma.flags & VM_SHARED)) return privateCopyFault",
    after: "if (write && !(vma.flags & (VM_SHARED | VM_WRITE))) return privateCopyFault",
  },
  {
    name: "fault-around-one-page-too-far",
    file: core("fault-file"),
    before: "const end = min(first + window, at + after);",
    after: "const end = min(first + window + 1, at + after);",
  },
  {
    name: "swapped-page-comes-back-empty",
    file: core("fault-swap"),
    before: "    copyFrame(pfn, slot);\n",
    after: "    copyFrame(slot, slot);\n",
    ask: ["unit/swap"],
  },
  {
    name: "swap-entry-counted-twice",
    file: core("pageout"),
    before: "      swapGet(cmd.d);\n",
    after: "      swapGet(cmd.d);\n      swapGet(cmd.d);\n",
    ask: ["unit/swap"],
  },
  {
    name: "swap-cache-search-ends-too-early",
    file: core("swap"),
    before: "if (((next - want) & mask) >= ((next - at) & mask)) {",
    after: "if (((next - want) & mask) > ((next - at) & mask)) {",
    ask: ["unit/swap"],
  },
  {
    name: "pin-without-a-reference",
    file: core("access"),
    before: "    getPage(pfn);\n    addExternalRefs(1);",
    after: "    addExternalRefs(1);",
  },
];
