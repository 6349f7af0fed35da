/** What an engine knows of its pages and address spaces: as objects for pictures, and as text. */
import {
  FOLIO_COUNT_MASK,
  FOLIO_INDEX,
  FOLIO_MAPPING,
  FOLIO_MAPS,
  FOLIO_REFS,
  FOLIO_SIZE,
} from "../../assembly/abi/frame.ts";
import { HDR_FOLIOS } from "../../assembly/abi/header.ts";
import { MM_PGD } from "../../assembly/abi/object.ts";
import { RESOURCE_MM } from "../../assembly/abi/pool.ts";
import { PAGE_SHIFT, PAGE_SIZE, TABLE_ENTRIES, TABLE_SHIFT } from "../../assembly/uapi/page.ts";
import { PTE_KIND_MASK, PTE_KIND_MARKER, PTE_KIND_SWAP } from "../../assembly/uapi/pte.ts";
import type { Context } from "./context.ts";
import { checkAddress, hex, roundDown } from "./errors.ts";
import { count, span } from "./inspect.ts";
import { describePfn, describePte, describeVmFlags, folioFlags } from "./names.ts";
import type { PteFlags, VmFlags } from "./protocol.ts";
import type { AddressSpace, Mapping } from "./registry.ts";

/** What is known of a page. */
export interface PageDescription {
  /** The page frame number. */
  page: number;
  /** The stable name of the device memory that it lies in; null: system memory. */
  devmem: string | null;
  refcount: number;
  mapcount: number;
  /** The id of the memory cgroup that it is charged to; 0: none. */
  memcg: number;
  /** The number of its anon_vma or file; 0: none. */
  mapping: number;
  /** Its offset in the anon_vma or file, in pages. */
  index: number;
  /** The names of its flags: "lru anon". */
  flags: string;
}

/** What is known of one page-table entry. */
export interface EntryDescription {
  /** The first address that the entry maps. */
  address: number;
  /** PTE_* bits. */
  flags: PteFlags;
  /** What the bits mean, as describePte says it. */
  text: string;
  /** The page that the entry names; null for a swapped page or a marker. */
  page: PageDescription | null;
}

/** What is known of one page table. */
export interface TableDescription {
  /** 4: the root (PGD), 3: PUD, 2: PMD, 1: a leaf. */
  level: number;
  /** The first address that the table covers. */
  address: number;
  /** The tables below, by address; empty in a leaf. */
  tables: TableDescription[];
  /** The entries of a leaf that are not empty, by address. */
  entries: EntryDescription[];
}

/** What is known of one mapping. */
export interface MappingDescription {
  start: number;
  /** Exclusive. */
  end: number;
  /** VM_* bits. */
  flags: VmFlags;
  /** What the bits mean, as describeVmFlags says it. */
  text: string;
  pgoff: number;
  /** The id of the mapped file; 0: private anonymous memory. */
  file: number;
}

/** What is known of a part of an address space. */
export interface SpaceDescription {
  /** The id of the address space. */
  mm: number;
  /** The mappings that overlap the part, by address. */
  vmas: MappingDescription[];
  /** The root page table, with what lies in the part. */
  root: TableDescription;
}

const LEVEL_NAMES = ["", "PTE", "PMD", "PUD", "PGD"];

/** @internal Describes the page of a frame number. */
export function describePage(ctx: Context, page: number): PageDescription {
  const { mem } = ctx;
  const address = mem.header(HDR_FOLIOS) + page * FOLIO_SIZE;
  const refs = mem.u32(address + FOLIO_REFS);
  const maps = mem.u32(address + FOLIO_MAPS);
  const last = mem.u32(address + FOLIO_MAPPING); // and FOLIO_FLAGS above it
  return {
    page,
    devmem: ctx.devmems.get(ctx.core.pageZone(page))?.id ?? null,
    refcount: refs & FOLIO_COUNT_MASK,
    mapcount: maps & FOLIO_COUNT_MASK,
    memcg: refs >>> 24,
    mapping: last & 0xffff,
    index: mem.u32(address + FOLIO_INDEX) + (maps >>> 24) * 2 ** 32,
    flags: folioFlags(last >>> 16),
  };
}

/** @internal Describes the page of a frame number in one line. */
export function describeFolio(ctx: Context, page: number): string {
  return pageText(describePage(ctx, page));
}

function pageText({
  page,
  refcount,
  mapcount,
  memcg,
  mapping,
  index,
  flags,
  devmem,
}: PageDescription): string {
  const where = devmem === null ? "" : ` of ${devmem}`;
  return (
    `page ${page}${where}: refcount ${refcount}, mapcount ${mapcount}, memcg ${memcg}, ` +
    `mapping ${mapping}, index ${index}, flags ${flags}`
  );
}

/** @internal Describes an entry of the CPU's page table. */
export function describeEntry(ctx: Context, address: number, flags: PteFlags, pfn: number): EntryDescription {
  const kind = flags & PTE_KIND_MASK;
  const named = kind !== PTE_KIND_SWAP && kind !== PTE_KIND_MARKER && pfn !== 0;
  return { address, flags, text: describePte(flags), page: named ? describePage(ctx, pfn) : null };
}

/** @internal Writes an entry in one line. */
export function entryText({ address, text, page }: EntryDescription): string {
  return `${hex(address)} ${text}${page === null ? "" : `, ${pageText(page)}`}`;
}

/** @internal Describes a mapping. */
export function describeMapping({ start, end, flags, pgoff, file }: Mapping): MappingDescription {
  return { start, end, flags, text: describeVmFlags(flags), pgoff, file };
}

/** @internal Writes a mapping in one line. */
export function mappingText({ start, end, text, pgoff, file }: MappingDescription): string {
  const pages = count((end - start) / PAGE_SIZE, "page");
  return `${span(start, end)} ${pages}, ${text}, pgoff ${pgoff}, file ${file}`;
}

/** @internal Describes [start, end), page addresses, of an address space. */
export function describeSpace(ctx: Context, mm: AddressSpace, start: number, end: number): SpaceDescription {
  const root = ctx.mem.u32(ctx.mem.objectAddress(RESOURCE_MM, mm.id) + MM_PGD);
  return {
    mm: mm.id,
    vmas: mm
      .vmas()
      .filter((vma) => vma.start < end && vma.end > start)
      .map(describeMapping),
    root: describeTable(ctx, root, 4, 0, start, end),
  };
}

/** Describes what a table, which covers memory from `base` on, has of [start, end). */
function describeTable(
  ctx: Context,
  table: number,
  level: number,
  base: number,
  start: number,
  end: number,
): TableDescription {
  const { mem } = ctx;
  const described: TableDescription = { level, address: base, tables: [], entries: [] };
  const covers = 2 ** (PAGE_SHIFT + TABLE_SHIFT * (level - 1));
  const first = Math.max(0, Math.floor((start - base) / covers));
  const last = Math.min(TABLE_ENTRIES, Math.ceil((end - base) / covers));
  for (let i = table === 0 ? last : first; i < last; i++) {
    const flags = mem.u32(table + 8 * i);
    const high = mem.u32(table + 8 * i + 4);
    const address = base + i * covers;
    if (level > 1 && high !== 0) {
      described.tables.push(describeTable(ctx, high, level - 1, address, start, end));
    } else if (level === 1 && flags !== 0) described.entries.push(describeEntry(ctx, address, flags, high));
  }
  return described;
}

/** @internal Writes a description of a part of an address space, one thing a line, tables indented. */
export function spaceText({ mm, vmas, root }: SpaceDescription): string {
  const lines = [`mm ${mm}, ${count(vmas.length, "mapping")}`, ...vmas.map((vma) => `  ${mappingText(vma)}`)];
  const write = (table: TableDescription, indent: string): void => {
    lines.push(`${indent}${LEVEL_NAMES[table.level]} ${hex(table.address)}`);
    for (const below of table.tables) write(below, `${indent}  `);
    for (const entry of table.entries) lines.push(`${indent}  ${entryText(entry)}`);
  };
  write(root, "");
  return lines.join("\n");
}

/** What is known of an address in one address space. */
export interface AddressDescription {
  /** The id of the address space. */
  mm: number;
  address: number;
  /** The mapping that holds the address, or null. */
  vma: MappingDescription | null;
  /** The CPU's page-table entry, or null. */
  entry: EntryDescription | null;
  /** The entries of the device tables of this address space. */
  devices: { table: number; word: number; text: string }[];
  /** All of it as text, a line for each thing. */
  text: string;
}

/** @internal Hmm.describe: describes an address in every address space that has something there. */
export function describeAddress(ctx: Context, address: number): AddressDescription[] {
  const page = roundDown(checkAddress("hmm.describe", "addr", address), PAGE_SIZE);
  const found: AddressDescription[] = [];
  for (const mm of ctx.mms.values()) {
    const held = mm.vmas().find((vma) => vma.start <= address && address < vma.end);
    const pte = mm.lookupPte(address);
    const devices = [...ctx.deviceTables.values()]
      .filter((table) => table.mm === mm)
      .map(({ id }) => ({ table: id, word: ctx.core.deviceTableLookup(id, address) >>> 0 }))
      .filter(({ word }) => word !== 0)
      .map(({ table, word }) => ({ table, word, text: describePfn(word) }));
    if (held === undefined && pte === null && devices.length === 0) continue;
    const vma = held === undefined ? null : describeMapping(held);
    const entry = pte === null ? null : describeEntry(ctx, page, pte.flags, pte.pfn);
    const lines = [
      `mm ${mm.id}, address ${hex(address)}`,
      vma === null ? "no mapping" : mappingText(vma),
      entry === null ? "no entry" : entryText(entry),
      ...devices.map(({ table, text }) => `device table ${table}: ${text}`),
    ];
    found.push({ mm: mm.id, address, vma, entry, devices, text: lines.join("\n  ") });
  }
  return found.sort((a, b) => a.mm - b.mm);
}
