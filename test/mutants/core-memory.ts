/**
 * Mutants of the layers below the operations: tables, frames, charges, the reverse map, swap space, faults.
 */
import type { Mutant } from "./mutant.ts";

const core = (file: string): string => `assembly/core/${file}.ts`;

export const CORE_MEMORY: readonly Mutant[] = [
  {
    name: "table-object-not-zeroed",
    file: core("base/pool"),
    before: "  zeroObject(object, size);\n",
    after: "",
  },
  {
    name: "arena-block-too-small",
    file: core("base/arena"),
    before: "if (room < size) continue;",
    after: "if (room + 8 < size) continue;",
    ask: ["unit/engine"],
  },
  {
    name: "block-off-the-list-when-a-frame-comes-back",
    file: core("frame/page-free"),
    before: '  if (!before) listPush(changetype<usize>(z) + offsetof<Zone>("partialBlocks"), block);\n',
    after: "",
    ask: ["unit/devmem"],
  },
  {
    name: "neighbours-freed-across-a-word-of-the-bitmap",
    file: core("frame/page-free"),
    before: "(pfn & 63) <= 60 && areNeighbors(at)",
    after: "areNeighbors(at)",
    ask: ["unit/devmem"],
  },
  {
    name: "any-four-pages-are-neighbours",
    file: core("frame/page-free"),
    before: "(pfn & 63) <= 60 && areNeighbors(at)",
    after: "(pfn & 63) <= 60",
    ask: ["unit/devmem"],
  },
  {
    name: "device-memory-right-above-system-memory",
    file: core("base/layout"),
    before: "system < GAP_FROM ? 0",
    after: "system <= GAP_FROM ? 0",
    ask: ["unit/copy"],
  },
  {
    name: "look-alike-page-not-copied",
    file: core("frame/frame"),
    before: "    copyPageBytes(spare, source);\n",
    after: "",
    ask: ["unit/copy"],
  },
  {
    name: "no-large-folio-for-a-unit",
    file: core("migrate/destinations"),
    before: "haveUnit(src, n) ? allocUnits(zone, src, dst, n, wanted) : 0;",
    after: "0;",
    ask: ["unit/compound"],
  },
  {
    name: "one-device-entry-counts-for-two",
    file: core("space/device-table"),
    before: "(i64x2.extract_lane(sum, 0) + i64x2.extract_lane(sum, 1))",
    after: "(i64x2.extract_lane(sum, 0) << 1)",
    ask: ["unit/mprotect"],
  },
  {
    name: "freed-device-page-reported-twice",
    file: core("frame/page-free"),
    before: "  z.freedHead = pfn;\n  if (!pfn) z.freedTail = 0;",
    after: "  if (!pfn) z.freedHead = z.freedTail = 0;",
  },
  {
    name: "own-device-memory-one-page-short",
    file: core("frame/zone"),
    before: "(zone.pfnEnd - zone.pfnFirst);",
    after: "(zone.pfnEnd - zone.pfnFirst - 1);",
    ask: ["unit/devmem"],
  },
  {
    name: "page-freed-but-charged",
    file: core("frame/page-alloc"),
    before: "  if (folio.memcg) memcgUncharge(folio.memcg);\n",
    after: "",
  },
  {
    name: "new-page-not-charged",
    file: core("fault/common"),
    before: "if (pfn) folioOf(pfn).memcg = mm.memcg;",
    after: "if (pfn) folioOf(pfn).memcg = 0;",
  },
  {
    name: "charge-counted-before-the-limit-is-looked-at",
    file: core("frame/memcg"),
    before: "  if (!memcgHasRoom(id, pages)) {\n    exhausted(",
    after:
      "  if (!memcgHasRoom(id, pages)) {\n" +
      "    store<u32>(group, load<u32>(group, MEMCG_USAGE) + 1, MEMCG_USAGE);\n    exhausted(",
    ask: ["unit/engine"],
  },
  {
    name: "charge-one-page-over-the-limit",
    file: core("frame/memcg"),
    before: "<u64>load<u32>(group, MEMCG_USAGE) + pages <= ",
    after: "<u64>load<u32>(group, MEMCG_USAGE) + pages <= 1 + ",
    ask: ["unit/engine"],
  },
  {
    name: "reverse-map-link-not-in-the-list",
    file: core("space/anon-vma"),
    before: "  treeInsert(anonVmaAt(anonId), link);\n",
    after: "",
  },
  {
    name: "reverse-map-stops-one-page-early",
    file: core("space/rmap"),
    before: "if (pgoff - vma.pgoff < vma.pages) return link;",
    after: "if (pgoff - vma.pgoff + 1 < vma.pages) return link;",
  },
  {
    name: "mappings-merge-whatever-their-offsets",
    file: core("space/merge"),
    before: "anonVmasAgree(anonVma, prev.anonVma, prev) && pgoffOf(prev, start) == pgoff",
    after: "anonVmasAgree(anonVma, prev.anonVma, prev)",
  },
  {
    name: "zero-page-handed-out-writable",
    file: core("fault/fault"),
    before: "(<u32>PTE_PRESENT) | PTE_YOUNG | PTE_SPECIAL",
    after: "(<u32>PTE_PRESENT) | PTE_WRITE | PTE_YOUNG | PTE_SPECIAL",
  },
  {
    name: "new-page-not-zeroed",
    file: core("fault/fault"),
    before: "  zeroFrame(pfn);\n  addNewAnon",
    after: "  addNewAnon",
  },
  {
    name: "copy-on-write-without-the-copy",
    file: core("fault/fault"),
    before: "  else copyFrame(copy, pfn);\n",
    after: "",
  },
  {
    name: "copy-on-write-writes-a-page-with-another-reference",
    file: core("fault/common"),
    before: "  return folio.refcount == 1;\n",
    after: "  return folio.refcount <= 2;\n",
  },
  {
    name: "run-of-writes-to-pages-with-another-reference",
    file: core("fault/run"),
    before: "&& folio.refcount != 1) break;\n",
    after: "&& folio.refcount > 2) break;\n",
    ask: ["unit/populate"],
  },
  {
    name: "run-of-copies-keeps-its-pages",
    file: core("fault/run"),
    before: "old.counts - FOLIO_SOLE);",
    after: "old.counts);",
    ask: ["unit/populate"],
  },
  {
    name: "fault-page-without-a-reference",
    file: core("fault/fault"),
    before: "  getPage(pfn);\n  cmd.faultPage = pfn;",
    after: "  cmd.faultPage = pfn;",
  },
  {
    name: "exclusive-entry-taken-back-without-a-word",
    file: core("fault/fault"),
    before:
      "  if (!notifyStart(cmd, vma.mmId, addr, addr + PAGE_SIZE, MMU_NOTIFY_EXCLUSIVE, 0)) return REQUEST;\n",
    after: "",
    ask: ["unit/exclusive"],
  },
  {
    name: "private-write-goes-to-the-file",
    file: core("fault/file"),
    before: "if (write && !(vma.flags & VM_SHARED)) return privateCopyFault",
    after: "if (write && !(vma.flags & (VM_SHARED | VM_WRITE))) return privateCopyFault",
  },
  {
    name: "fault-around-one-page-too-far",
    file: core("fault/file"),
    before: "const end = min(first + window, at + after);",
    after: "const end = min(first + window + 1, at + after);",
  },
  {
    name: "swapped-page-comes-back-empty",
    file: core("fault/swap"),
    before: "    copyFrame(pfn, slot);\n",
    after: "    copyFrame(slot, slot);\n",
    ask: ["unit/swap"],
  },
  {
    name: "swap-entry-counted-twice",
    file: core("mapping/pageout"),
    before: "    swapGet(slot);\n",
    after: "      swapGet(slot);\n      swapGet(slot);\n",
    ask: ["unit/swap"],
  },
  {
    name: "swap-cache-search-ends-too-early",
    file: core("space/swap"),
    before: "if (((next - want) & mask) >= ((next - at) & mask)) {",
    after: "if (((next - want) & mask) > ((next - at) & mask)) {",
    ask: ["unit/swap"],
  },
  {
    name: "pin-without-a-reference",
    file: core("access/access"),
    before: "    getPage(pfn);\n    addExternalRefs(1);",
    after: "    addExternalRefs(1);",
  },
];
