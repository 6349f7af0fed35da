import * as struct from "../../assembly/abi/struct.ts";
import type { Context } from "./context.ts";
import { EINVARIANT, hex, HmmError } from "./errors.ts";

/** What verify() found: mm is an id, the meaning of a, b and c depends on the code. */
interface Finding {
  mm: number;
  a: number;
  b: number;
  c: number;
}

/** By VERIFY_*. */
const SENTENCES: Record<number, (f: Finding) => string> = {
  [struct.VERIFY_REFCOUNT]: (f) => `page ${f.a} has refcount ${f.c}, and ${f.b} references can be counted`,
  [struct.VERIFY_MAPCOUNT]: (f) => `page ${f.a} has mapcount ${f.c}, and ${f.b} entries name it`,
  [struct.VERIFY_FREE_LIST]: (f) => `page ${f.a} is free and used, on two free lists, or on none`,
  [struct.VERIFY_DEVICE_PRESENT]: (f) =>
    `the CPU may touch private device page ${f.b} at ${hex(f.a)}, or not a coherent one`,
  [struct.VERIFY_MIRROR_PAGE]: (f) => `at ${hex(f.a)} the device has page ${f.b} and the CPU ${f.c}`,
  [struct.VERIFY_MIRROR_WRITE]: (f) => `the device may write page ${f.b} at ${hex(f.a)}, and the CPU may not`,
  [struct.VERIFY_RSS]: (f) =>
    `rss of ${["anon", "file", "shmem", "swap"][f.a] ?? f.a} is ${f.c}, and ${f.b} entries can be counted`,
  [struct.VERIFY_MEMCG]: (f) => `memory cgroup ${f.a} has usage ${f.c}, and ${f.b} pages are charged to it`,
  [struct.VERIFY_MIGRATION_ENTRY]: (f) =>
    `a migration entry at ${hex(f.a)} names page ${f.b}, which no open migration has locked`,
  [struct.VERIFY_VMA_ORDER]: (f) => `mappings overlap, are empty or out of order at ${hex(f.a)}`,
  [struct.VERIFY_VMA_TREE]: (f) => `the tree and the list of mappings differ at ${hex(f.a)}`,
  [struct.VERIFY_ENTRY_OUTSIDE]: (f) => `an entry at ${hex(f.a)} lies in no mapping`,
  [struct.VERIFY_WRITE_BIT]: (f) => `the entry at ${hex(f.a)} is writable, its mapping is not`,
  [struct.VERIFY_RMAP]: (f) => `the reverse map of page ${f.b} does not find its entry at ${hex(f.a)}`,
  [struct.VERIFY_POOL]: (f) => `table ${f.a} says ${f.c} objects are used, and ${f.b} can be counted`,
  [struct.VERIFY_EXCLUSIVE]: (f) => `page ${f.a} is one process's own, and mapped more than once`,
  [struct.VERIFY_ANON_VMA]: (f) => `anon_vma ${f.a} has wrong links or counts`,
  [struct.VERIFY_ARENA]: (f) => `the arena is broken at ${hex(f.a)}`,
  [struct.VERIFY_TABLE_META]: (f) => `the page table at ${hex(f.a)} has the wrong owner or level`,
  [struct.VERIFY_LOCKED]: (f) => `page ${f.a} is locked, and no migration is open`,
  [struct.VERIFY_HUGE]: (f) => `the entries of the huge mapping at ${hex(f.a)} do not belong together`,
};

const PAGE_IN_A = new Set([
  struct.VERIFY_REFCOUNT,
  struct.VERIFY_MAPCOUNT,
  struct.VERIFY_FREE_LIST,
  struct.VERIFY_EXCLUSIVE,
  struct.VERIFY_LOCKED,
]);
const PAGE_IN_B = new Set([
  struct.VERIFY_DEVICE_PRESENT,
  struct.VERIFY_MIRROR_PAGE,
  struct.VERIFY_MIRROR_WRITE,
  struct.VERIFY_MIGRATION_ENTRY,
  struct.VERIFY_RMAP,
]);
const ADDRESS_IN_A = new Set([
  struct.VERIFY_DEVICE_PRESENT,
  struct.VERIFY_MIRROR_PAGE,
  struct.VERIFY_MIRROR_WRITE,
  struct.VERIFY_MIGRATION_ENTRY,
  struct.VERIFY_VMA_ORDER,
  struct.VERIFY_VMA_TREE,
  struct.VERIFY_ENTRY_OUTSIDE,
  struct.VERIFY_WRITE_BIT,
  struct.VERIFY_RMAP,
  struct.VERIFY_HUGE,
]);

const FOLIO_FLAG_NAMES = [
  "locked",
  "lru",
  "dirty",
  "anon",
  "anon-exclusive",
  "file",
  "shmem",
  "swap-cache",
  "head",
  "tail",
  "ksm",
  "mlocked",
  "migration-shared",
  "free",
  "poisoned",
  "reserved",
];

/** The fields of a folio, as one line. */
export function describeFolio(ctx: Context, pfn: number): string {
  const { mem } = ctx;
  const address = mem.header(struct.HDR_FOLIOS) + pfn * struct.FOLIO_SIZE;
  const refs = mem.u32(address + struct.FOLIO_REFS);
  const maps = mem.u32(address + struct.FOLIO_MAPS);
  const index = mem.u32(address + struct.FOLIO_INDEX) + (maps >>> 24) * 2 ** 32;
  const last = mem.u32(address + struct.FOLIO_MAPPING);
  const flags = FOLIO_FLAG_NAMES.filter((_, bit) => ((last >>> 16) & (1 << bit)) !== 0);
  const count = struct.FOLIO_COUNT_MASK;
  return (
    `page ${pfn}: refcount ${refs & count}, mapcount ${maps & count}, memcg ${refs >>> 24}, ` +
    `mapping ${last & 0xffff}, index ${index}, flags ${flags.join(" ") || "none"}`
  );
}

function describeMm(ctx: Context, id: number, address: number | null): string[] {
  const mm = ctx.mms.get(id);
  if (mm === undefined) return [];
  const lines: string[] = [];
  if (address !== null) {
    const pte = mm.lookupPte(address);
    lines.push(
      `mm ${id}, entry of ${hex(address)}: ${pte === null ? "none" : `${hex(pte.flags)} pfn ${pte.pfn}`}`,
    );
  }
  const all = mm.vmas();
  lines.push(`mm ${id}, ${all.length} mappings`);
  for (const vma of all.slice(0, 64)) {
    lines.push(
      `  ${hex(vma.start)}-${hex(vma.end)} flags ${hex(vma.flags)} pgoff ${vma.pgoff} file ${vma.file}`,
    );
  }
  return lines;
}

/** Throws HmmError EINVARIANT with the first broken invariant and what surrounds it. */
export function verify(ctx: Context): void {
  const { mem } = ctx;
  ctx.demandOutermost("hmm.verify");
  if (ctx.core.verify() === struct.VERIFY_OK) return;
  const code = mem.header(struct.HDR_VERIFY_CODE);
  const finding: Finding = {
    mm: mem.header(struct.HDR_VERIFY_MM),
    a: mem.headerF64(struct.HDR_VERIFY_A),
    b: mem.headerF64(struct.HDR_VERIFY_B),
    c: mem.headerF64(struct.HDR_VERIFY_C),
  };
  const sentence =
    SENTENCES[code]?.(finding) ?? `invariant ${code} is broken (${finding.a}, ${finding.b}, ${finding.c})`;
  const lines = [finding.mm === 0 ? sentence : `mm ${finding.mm}: ${sentence}`];
  const page = PAGE_IN_A.has(code) ? finding.a : PAGE_IN_B.has(code) ? finding.b : 0;
  if (page !== 0) lines.push(describeFolio(ctx, page));
  if (code === struct.VERIFY_MIRROR_PAGE && finding.c !== 0) lines.push(describeFolio(ctx, finding.c));
  lines.push(...describeMm(ctx, finding.mm, ADDRESS_IN_A.has(code) ? finding.a : null));
  throw new HmmError(EINVARIANT, "hmm.verify", lines.join("\n"));
}
