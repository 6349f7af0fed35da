/** Mutants of the rules of Linux 7.3: each rule answers as 6.12's, and the code behind them. */
import type { Mutant } from "./mutant.ts";

const core = (file: string): string => `assembly/core/${file}.ts`;

/** The mutant in which a rule of 7.3 is that of 6.12. */
const rule = (name: string, ask: string): Mutant => ({
  name: `rule-of-6.12-${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
  file: core("base/rules"),
  before: `export function ${name}(): bool {\n  return newer();\n`,
  after: `export function ${name}(): bool {\n  return false;\n`,
  ask: [ask],
});

export const CORE_LINUX: readonly Mutant[] = [
  rule("exclusiveGoesPageByPage", "unit/linux-exclusive"),
  rule("revokeSendsClear", "unit/linux-exclusive"),
  rule("exclusiveStaysMapped", "unit/linux-exclusive"),
  rule("splitTellsOnce", "unit/linux-huge"),
  rule("splitsMappedParts", "unit/linux-huge"),
  rule("leavesUnselectedHuge", "unit/linux-huge"),
  rule("splitsHugeZeroLate", "unit/linux-huge"),
  rule("hugeZeroBecomesHuge", "unit/linux-huge"),
  rule("dontneedFreesTables", "unit/linux-huge"),
  rule("collapsesReadOnly", "unit/linux-huge"),
  rule("mremapMovesSeveral", "unit/linux-sized"),
  rule("swapsWhole", "unit/linux-sized"),
  rule("exclusiveComesBackWritable", "unit/linux-exclusive"),
  rule("pinnedPartSkipsBlock", "unit/linux-huge"),
  rule("freeMarksPages", "unit/linux-sized"),
  rule("reusesOwnParts", "unit/linux-sized"),
  {
    name: "folio-of-64-kib-where-its-range-is-not-empty",
    file: core("fault/sized"),
    before: "    if (!areEmpty(first, n)) continue;\n",
    after: "",
    ask: ["unit/linux-sized"],
  },
  {
    name: "folio-of-64-kib-beyond-its-mapping",
    file: core("fault/sized"),
    before: " && from + size <= vma.end ? from : 0",
    after: " ? from : 0",
    ask: ["unit/linux-sized"],
  },
  {
    name: "folio-of-64-kib-without-advice",
    file: core("fault/sized"),
    before: "(how == HUGEPAGES_MADVISE && (vma.flags & VM_HUGEPAGE) != 0)",
    after: "how == HUGEPAGES_MADVISE",
    ask: ["unit/linux-sized"],
  },
  {
    name: "folio-of-64-kib-that-is-not-aligned",
    file: core("frame/page-run"),
    before: "at < 64; at += n",
    after: "at < 64; at++",
    ask: ["unit/linux-sized"],
  },
  {
    name: "folio-of-64-kib-freed-with-its-first-part",
    file: core("frame/page-alloc"),
    before: "    for (let part = head; part < end; part++) if (folioOf(part).refcount) return;\n",
    after: "",
    ask: ["unit/linux-sized"],
  },
  {
    name: "swapped-folio-comes-back-without-its-neighbors",
    file: core("fault/swap"),
    before: "    mapBatch(vma, from, at - i * 8, n, head, flags);\n    done",
    after: "    mapBatch(vma, from, at - i * 8, 1, head, flags);\n    done",
    ask: ["unit/linux-sized"],
  },
  {
    name: "exclusive-page-without-its-event",
    file: core("hmm/exclusive"),
    before:
      "    if (!notifyStart(cmd, cmd.mm, cmd.cursor, cmd.cursor + PAGE_SIZE, " +
      "MMU_NOTIFY_EXCLUSIVE, cmd.owner))\n" +
      "      return REQUEST;\n",
    after: "",
    ask: ["unit/linux-exclusive"],
  },
  {
    name: "exclusive-part-stays-so-after-a-split",
    file: core("operation/split"),
    before: "    takeBackParts(vma, start, end, head, n);\n",
    after: "",
    ask: ["unit/linux-exclusive"],
  },
  {
    name: "mremap-begins-in-a-hole",
    file: core("mapping/mremap-range"),
    before: "cmd.rangeTo + (cmd.oldAddr - cmd.start)",
    after: "cmd.rangeTo",
    ask: ["unit/linux-sized"],
  },
  {
    name: "given-up-page-dropped-though-written",
    file: core("mapping/pageout"),
    before:
      "    if (pteFlags(pte) & PTE_DIRTY || folio.has(FOLIO_DIRTY)) return folio.clear(FOLIO_LAZYFREE);\n",
    after: "",
    ask: ["unit/linux-sized"],
  },
  {
    name: "unit-split-though-a-fault-refers-to-it",
    file: core("migrate/pages"),
    before: "if (m.faultPage - pfnOf(word) < LARGE_PAGES) {",
    after: "if (false) {",
    ask: ["unit/linux-huge"],
  },
  {
    name: "unit-split-in-silence",
    file: core("migrate/pages"),
    before: "    if (!tellUnit(cmd, m, i)) return REQUEST;\n",
    after: "",
    ask: ["unit/linux-huge"],
  },
  {
    name: "fault-moves-any-page-of-a-folio-that-it-splits",
    file: core("migrate/collect"),
    before: "(large && !first && m.faultPage)",
    after: "false",
    ask: ["unit/linux-huge"],
  },
  {
    name: "large-folio-evicted-in-pieces",
    file: core("migrate/setup"),
    before: "  if (cmd.npages - i < LARGE_PAGES || ",
    after: "  if (cmd.npages || ",
    ask: ["unit/linux-huge"],
  },
  {
    name: "huge-device-pages-under-6.12",
    file: "src/migrate/setup.ts",
    before: ' && ctx.settings.linux === "6.12")',
    after: " && false)",
    ask: ["errors/migrate"],
  },
  {
    name: "dmirror-asks-6.12-for-huge-device-pages",
    file: "src/dmirror/device.ts",
    before: 'hmm.config.linux === "6.12" ? 0 : ',
    after: "",
    ask: ["scenarios/hmm-tests-huge"],
  },
  {
    name: "dmirror-gives-a-coherent-device-huge-pages",
    file: "src/dmirror/device.ts",
    before: "alloc, this.devmem.coherent);",
    after: "alloc);",
    ask: ["scenarios/hmm-tests-huge"],
  },
];
