import {
  HDR_VERIFY_A,
  HDR_VERIFY_B,
  HDR_VERIFY_C,
  HDR_VERIFY_CODE,
  HDR_VERIFY_MM,
} from "../../assembly/abi/header.ts";
import * as code from "../../assembly/abi/verify.ts";
import type { Context } from "./context.ts";
import { describeEntry, describeFolio, describeMapping, entryText, mappingText } from "./describe.ts";
import { EINVARIANT, hex, HmmError } from "./errors.ts";
import { count } from "./inspect.ts";
import { RESOURCE_NAMES } from "./names.ts";

/** What verify() found: mm is an id, the meaning of a, b and c depends on the code. */
interface Finding {
  mm: number;
  a: number;
  b: number;
  c: number;
}

/**
 * A broken invariant: the sentence that says so, and which of a, b and c name pages and which an address of
 * mm.
 */
interface Invariant {
  says: (f: Finding) => string;
  pages?: readonly ("a" | "b" | "c")[] | undefined;
  address?: "a" | undefined;
}

const KINDS_OF_RSS = ["anon", "file", "shmem", "swap"];

/** By VERIFY_*. */
const INVARIANTS: Readonly<Record<number, Invariant>> = {
  [code.VERIFY_REFCOUNT]: {
    says: ({ a, b, c }) => `page ${a} has refcount ${c}, and ${b} references can be counted`,
    pages: ["a"],
  },
  [code.VERIFY_MAPCOUNT]: {
    says: ({ a, b, c }) => `page ${a} has mapcount ${c}, and ${b} entries name it`,
    pages: ["a"],
  },
  [code.VERIFY_FREE_LIST]: {
    says: ({ a }) => `page ${a} is free and used, on two free lists, or on none`,
    pages: ["a"],
  },
  [code.VERIFY_DEVICE_PRESENT]: {
    says: ({ a, b }) =>
      `the entry at ${hex(a)} lets the CPU touch private device page ${b}, or keeps it from a coherent one`,
    pages: ["b"],
    address: "a",
  },
  [code.VERIFY_MIRROR_PAGE]: {
    says: ({ a, b, c }) => `at ${hex(a)} the device has page ${b} and the CPU ${c}`,
    pages: ["b", "c"],
    address: "a",
  },
  [code.VERIFY_MIRROR_WRITE]: {
    says: ({ a, b }) => `the device may write page ${b} at ${hex(a)}, and the CPU may not`,
    pages: ["b"],
    address: "a",
  },
  [code.VERIFY_RSS]: {
    says: ({ a, b, c }) => `rss of ${KINDS_OF_RSS[a] ?? a} is ${c}, and ${b} entries can be counted`,
  },
  [code.VERIFY_MEMCG]: {
    says: ({ a, b, c }) => `memory cgroup ${a} has usage ${c}, and ${b} pages are charged to it`,
  },
  [code.VERIFY_MIGRATION_ENTRY]: {
    says: ({ a, b }) => `a migration entry at ${hex(a)} names page ${b}, which no open migration has locked`,
    pages: ["b"],
    address: "a",
  },
  [code.VERIFY_VMA_ORDER]: {
    says: ({ a }) => `mappings overlap, are empty or out of order at ${hex(a)}`,
    address: "a",
  },
  [code.VERIFY_VMA_TREE]: {
    says: ({ a }) => `the tree and the list of mappings differ at ${hex(a)}`,
    address: "a",
  },
  [code.VERIFY_ENTRY_OUTSIDE]: {
    says: ({ a }) => `an entry at ${hex(a)} lies in no mapping`,
    address: "a",
  },
  [code.VERIFY_WRITE_BIT]: {
    says: ({ a }) => `the entry at ${hex(a)} is writable, its mapping is not`,
    address: "a",
  },
  [code.VERIFY_RMAP]: {
    says: ({ a, b }) => `the reverse map of page ${b} does not find its entry at ${hex(a)}`,
    pages: ["b"],
    address: "a",
  },
  [code.VERIFY_POOL]: {
    says: ({ a, b, c }) =>
      `the pool of ${RESOURCE_NAMES[a] ?? a} says that ${c} objects are used, and ${b} can be counted`,
  },
  [code.VERIFY_EXCLUSIVE]: {
    says: ({ a }) => `page ${a} is one process's own, and mapped more than once`,
    pages: ["a"],
  },
  [code.VERIFY_ANON_VMA]: { says: ({ a }) => `anon_vma ${a} has wrong links or counts` },
  [code.VERIFY_ARENA]: { says: ({ a }) => `the arena is broken at ${hex(a)}` },
  [code.VERIFY_TABLE_META]: { says: ({ a }) => `the page table at ${hex(a)} has the wrong owner or level` },
  [code.VERIFY_LOCKED]: {
    says: ({ a }) => `page ${a} is locked, and no migration is open`,
    pages: ["a"],
  },
  [code.VERIFY_HUGE]: {
    says: ({ a }) => `the entries of the huge mapping at ${hex(a)} do not belong together`,
    address: "a",
  },
};

function describeMm(ctx: Context, id: number, address: number | null): string[] {
  const mm = ctx.mms.get(id);
  if (mm === undefined) return [];
  const lines: string[] = [];
  if (address !== null) {
    const pte = mm.lookupPte(address);
    const entry = pte === null ? "none" : entryText(describeEntry(ctx, address, pte.flags, pte.pfn));
    lines.push(`mm ${id}, entry of ${hex(address)}: ${entry}`);
  }
  const all = mm.vmas();
  lines.push(`mm ${id}, ${count(all.length, "mapping")}`);
  for (const vma of all.slice(0, 64)) lines.push(`  ${mappingText(describeMapping(vma))}`);
  return lines;
}

/** Throws HmmError EINVARIANT with the first broken invariant and what surrounds it. */
export function verify(ctx: Context): void {
  const { mem } = ctx;
  ctx.demandOutermost("hmm.verify");
  if (ctx.core.verify() === code.VERIFY_OK) return;
  const number = mem.header(HDR_VERIFY_CODE);
  const finding: Finding = {
    mm: mem.header(HDR_VERIFY_MM),
    a: mem.headerF64(HDR_VERIFY_A),
    b: mem.headerF64(HDR_VERIFY_B),
    c: mem.headerF64(HDR_VERIFY_C),
  };
  const { says, pages = [], address } = INVARIANTS[number];
  const sentence = says(finding);
  const lines = [finding.mm === 0 ? sentence : `mm ${finding.mm}: ${sentence}`];
  for (const name of pages) if (finding[name] !== 0) lines.push(describeFolio(ctx, finding[name]));
  lines.push(...describeMm(ctx, finding.mm, address === undefined ? null : finding[address]));
  throw new HmmError(EINVARIANT, "hmm.verify", lines.join("\n"));
}
