/** Words for the core's numbers, keyed by their constants: what messages and descriptions call them. */
import {
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_DIRTY,
  FOLIO_FILE,
  FOLIO_FREE,
  FOLIO_HEAD,
  FOLIO_KSM,
  FOLIO_LOCKED,
  FOLIO_LRU,
  FOLIO_MIGRATION_SHARED,
  FOLIO_REFERENCED,
  FOLIO_RESERVED,
  FOLIO_SHMEM,
  FOLIO_SWAP_CACHE,
  FOLIO_TAIL,
} from "../../assembly/abi/frame.ts";
import {
  RESOURCE_ADDRESS_SPACE,
  RESOURCE_ANON_VMA,
  RESOURCE_ARENA,
  RESOURCE_AVC,
  RESOURCE_COMMANDS,
  RESOURCE_DEVICE_MEMORY,
  RESOURCE_DEVICE_TABLE,
  RESOURCE_DEVMEM,
  RESOURCE_FILE,
  RESOURCE_HUGETLB,
  RESOURCE_INJECTED,
  RESOURCE_KSM_ITEM,
  RESOURCE_KSM_NODE,
  RESOURCE_MEMCG,
  RESOURCE_MEMCG_LIMIT,
  RESOURCE_MIGRATION,
  RESOURCE_MM,
  RESOURCE_NOTIFIER,
  RESOURCE_PAGE_TABLE,
  RESOURCE_SYSTEM_MEMORY,
  RESOURCE_VMA,
} from "../../assembly/abi/pool.ts";
import {
  PTE_DIRTY,
  PTE_EXCLUSIVE,
  PTE_HUGE,
  PTE_KIND_DEVICE,
  PTE_KIND_DEVICE_EXCLUSIVE,
  PTE_KIND_HWPOISON,
  PTE_KIND_MARKER,
  PTE_KIND_MASK,
  PTE_KIND_MIGRATION,
  PTE_KIND_SWAP,
  PTE_NO_ACCESS,
  PTE_PRESENT,
  PTE_SPECIAL,
  PTE_WRITE,
  PTE_YOUNG,
} from "../../assembly/uapi/pte.ts";

/** What ran out, by RESOURCE_*. */
export const RESOURCE_NAMES: Readonly<Record<number, string>> = {
  [RESOURCE_MM]: "address spaces",
  [RESOURCE_VMA]: "vmas",
  [RESOURCE_ANON_VMA]: "anon_vmas",
  [RESOURCE_AVC]: "anon_vma links",
  [RESOURCE_PAGE_TABLE]: "page tables",
  [RESOURCE_NOTIFIER]: "notifiers",
  [RESOURCE_MEMCG]: "memory cgroups",
  [RESOURCE_MIGRATION]: "open migrations",
  [RESOURCE_DEVICE_TABLE]: "device tables",
  [RESOURCE_FILE]: "files",
  [RESOURCE_KSM_NODE]: "KSM pages",
  [RESOURCE_KSM_ITEM]: "KSM addresses",
  [RESOURCE_SYSTEM_MEMORY]: "system memory",
  [RESOURCE_DEVICE_MEMORY]: "device memory",
  [RESOURCE_ARENA]: "arena",
  [RESOURCE_COMMANDS]: "nested operations",
  [RESOURCE_MEMCG_LIMIT]: "memory cgroup limit",
  [RESOURCE_ADDRESS_SPACE]: "address space",
  [RESOURCE_DEVMEM]: "devmems",
  [RESOURCE_INJECTED]: "injected failure",
  [RESOURCE_HUGETLB]: "hugetlb pages",
};

type FlagNames = readonly (readonly [flag: number, name: string])[];

const FOLIO_FLAG_NAMES: FlagNames = [
  [FOLIO_LOCKED, "locked"],
  [FOLIO_LRU, "lru"],
  [FOLIO_DIRTY, "dirty"],
  [FOLIO_ANON, "anon"],
  [FOLIO_ANON_EXCLUSIVE, "anon-exclusive"],
  [FOLIO_FILE, "file"],
  [FOLIO_SHMEM, "shmem"],
  [FOLIO_SWAP_CACHE, "swap-cache"],
  [FOLIO_HEAD, "head"],
  [FOLIO_TAIL, "tail"],
  [FOLIO_KSM, "ksm"],
  [FOLIO_REFERENCED, "referenced"],
  [FOLIO_MIGRATION_SHARED, "migration-shared"],
  [FOLIO_FREE, "free"],
  [FOLIO_RESERVED, "reserved"],
];

const PTE_FLAG_NAMES: FlagNames = [
  [PTE_PRESENT, "present"],
  [PTE_WRITE, "write"],
  [PTE_YOUNG, "young"],
  [PTE_HUGE, "huge"],
  [PTE_DIRTY, "dirty"],
  [PTE_EXCLUSIVE, "exclusive"],
  [PTE_SPECIAL, "special"],
  [PTE_NO_ACCESS, "no-access"],
];

const PTE_KIND_NAMES: Readonly<Record<number, string>> = {
  [PTE_KIND_SWAP]: "swap",
  [PTE_KIND_MIGRATION]: "migration",
  [PTE_KIND_DEVICE]: "device",
  [PTE_KIND_DEVICE_EXCLUSIVE]: "device-exclusive",
  [PTE_KIND_HWPOISON]: "hwpoison",
  [PTE_KIND_MARKER]: "marker",
};

function flagNames(names: FlagNames, word: number): string[] {
  return names.filter(([flag]) => (word & flag) !== 0).map(([, name]) => name);
}

/** The names of a folio's flags: "lru anon", or "none". */
export function folioFlags(flags: number): string {
  return flagNames(FOLIO_FLAG_NAMES, flags).join(" ") || "none";
}

/** What the low word of a page-table entry says: "present write young", "migration write". */
export function pteFlags(word: number): string {
  const kind = PTE_KIND_NAMES[word & PTE_KIND_MASK];
  return [...(kind === undefined ? [] : [kind]), ...flagNames(PTE_FLAG_NAMES, word)].join(" ");
}
