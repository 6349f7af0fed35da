/** Words for the core's numbers, keyed by their constants: what messages and descriptions call them. */
import {
  FOLIO_ANON,
  FOLIO_ANON_EXCLUSIVE,
  FOLIO_DIRTY,
  FOLIO_FILE,
  FOLIO_FREE,
  FOLIO_HEAD,
  FOLIO_KSM,
  FOLIO_LAZYFREE,
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
import {
  FAULT_KIND_ANON,
  FAULT_KIND_COW,
  FAULT_KIND_DEVICE,
  FAULT_KIND_EXCLUSIVE,
  FAULT_KIND_FILE,
  FAULT_KIND_REUSE,
  FAULT_KIND_SPURIOUS,
  FAULT_KIND_SWAP,
  FAULT_KIND_ZERO,
  MMU_NOTIFY_CLEAR,
  MMU_NOTIFY_EXCLUSIVE,
  MMU_NOTIFY_MIGRATE,
  MMU_NOTIFY_PROTECTION_PAGE,
  MMU_NOTIFY_PROTECTION_VMA,
  MMU_NOTIFY_RELEASE,
  MMU_NOTIFY_SOFT_DIRTY,
  MMU_NOTIFY_UNMAP,
} from "../../assembly/uapi/event.ts";
import {
  DEVICE_PFN_DIRTY,
  HMM_PFN_ERROR,
  HMM_PFN_ORDER_MASK,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
  PFN_MASK,
} from "../../assembly/uapi/pfn.ts";
import {
  FAULT_ACCERR,
  FAULT_LOOP,
  FAULT_MAPERR,
  FAULT_MIGRATION,
  FAULT_NONE,
  FAULT_OOM,
  FAULT_SIGBUS,
  VM_ACCOUNT,
  VM_DONTCOPY,
  VM_DONTEXPAND,
  VM_EXEC,
  VM_FAULT_MAJOR,
  VM_FAULT_OOM,
  VM_FAULT_RETRY,
  VM_FAULT_SIGBUS,
  VM_FAULT_SIGSEGV,
  VM_HUGEPAGE,
  VM_HUGETLB,
  VM_IO,
  VM_LOCKED,
  VM_MAYEXEC,
  VM_MAYREAD,
  VM_MAYSHARE,
  VM_MAYWRITE,
  VM_MERGEABLE,
  VM_MIXEDMAP,
  VM_NOHUGEPAGE,
  VM_PFNMAP,
  VM_RAND_READ,
  VM_READ,
  VM_SEQ_READ,
  VM_SHARED,
  VM_UFFD_MISSING,
  VM_WIPEONFORK,
  VM_WRITE,
} from "../../assembly/uapi/vm.ts";
import { checkWord } from "./errors.ts";
import type {
  FaultCode,
  FaultKind,
  MmuNotifyEvent,
  OrNumber,
  PteFlags,
  VmFault,
  VmFlags,
} from "./protocol.ts";

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
  [FOLIO_LAZYFREE, "lazyfree"],
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

const VM_FLAG_NAMES: FlagNames = [
  [VM_READ, "read"],
  [VM_WRITE, "write"],
  [VM_EXEC, "exec"],
  [VM_SHARED, "shared"],
  [VM_MAYREAD, "mayread"],
  [VM_MAYWRITE, "maywrite"],
  [VM_MAYEXEC, "mayexec"],
  [VM_MAYSHARE, "mayshare"],
  [VM_UFFD_MISSING, "uffd-missing"],
  [VM_PFNMAP, "pfnmap"],
  [VM_LOCKED, "locked"],
  [VM_IO, "io"],
  [VM_SEQ_READ, "seqread"],
  [VM_RAND_READ, "randread"],
  [VM_DONTCOPY, "dontcopy"],
  [VM_DONTEXPAND, "dontexpand"],
  [VM_ACCOUNT, "account"],
  [VM_HUGETLB, "hugetlb"],
  [VM_WIPEONFORK, "wipeonfork"],
  [VM_MIXEDMAP, "mixedmap"],
  [VM_HUGEPAGE, "hugepage"],
  [VM_NOHUGEPAGE, "nohugepage"],
  [VM_MERGEABLE, "mergeable"],
];

const PFN_FLAG_NAMES: FlagNames = [
  [HMM_PFN_VALID, "valid"],
  [HMM_PFN_WRITE, "write"],
  [HMM_PFN_ERROR, "error"],
  [HMM_PFN_ORDER_MASK, "2MiB"],
  [DEVICE_PFN_DIRTY, "dirty"],
];

const VM_FAULT_NAMES: FlagNames = [
  [VM_FAULT_OOM, "OOM"],
  [VM_FAULT_SIGBUS, "SIGBUS"],
  [VM_FAULT_SIGSEGV, "SIGSEGV"],
  [VM_FAULT_MAJOR, "MAJOR"],
  [VM_FAULT_RETRY, "RETRY"],
];

const EVENT_NAMES: Readonly<Record<MmuNotifyEvent, string>> = {
  [MMU_NOTIFY_UNMAP]: "UNMAP",
  [MMU_NOTIFY_CLEAR]: "CLEAR",
  [MMU_NOTIFY_PROTECTION_VMA]: "PROTECTION_VMA",
  [MMU_NOTIFY_PROTECTION_PAGE]: "PROTECTION_PAGE",
  [MMU_NOTIFY_SOFT_DIRTY]: "SOFT_DIRTY",
  [MMU_NOTIFY_RELEASE]: "RELEASE",
  [MMU_NOTIFY_MIGRATE]: "MIGRATE",
  [MMU_NOTIFY_EXCLUSIVE]: "EXCLUSIVE",
};

const FAULT_KIND_NAMES: Readonly<Record<FaultKind, string>> = {
  [FAULT_KIND_ZERO]: "ZERO",
  [FAULT_KIND_ANON]: "ANON",
  [FAULT_KIND_COW]: "COW",
  [FAULT_KIND_REUSE]: "REUSE",
  [FAULT_KIND_DEVICE]: "DEVICE",
  [FAULT_KIND_FILE]: "FILE",
  [FAULT_KIND_SWAP]: "SWAP",
  [FAULT_KIND_EXCLUSIVE]: "EXCLUSIVE",
  [FAULT_KIND_SPURIOUS]: "SPURIOUS",
};

const FAULT_CODE_NAMES: Readonly<Record<FaultCode, string>> = {
  [FAULT_NONE]: "NONE",
  [FAULT_MAPERR]: "MAPERR",
  [FAULT_ACCERR]: "ACCERR",
  [FAULT_SIGBUS]: "SIGBUS",
  [FAULT_OOM]: "OOM",
  [FAULT_MIGRATION]: "MIGRATION",
  [FAULT_LOOP]: "LOOP",
};

function flagNames(names: FlagNames, word: number): string[] {
  return names.filter(([flag]) => (word & flag) !== 0).map(([, name]) => name);
}

/** @internal Returns the names of a folio's flags: "lru anon", or "none". */
export function folioFlags(flags: number): string {
  return flagNames(FOLIO_FLAG_NAMES, flags).join(" ") || "none";
}

/**
 * Says what the low word (PTE_*) of a page-table entry means: "present write young", "migration write".
 * Throws TypeError and RangeError for anything but a 32-bit word.
 */
export function describePte(word: PteFlags): string {
  checkWord("describePte", "word", word);
  const kind = PTE_KIND_NAMES[word & PTE_KIND_MASK];
  return [...(kind === undefined ? [] : [kind]), ...flagNames(PTE_FLAG_NAMES, word)].join(" ") || "none";
}

/**
 * Says what a mapping's VM_* bits mean: "read write mayread mayshare". Throws TypeError and RangeError for
 * anything but a 32-bit word.
 */
export function describeVmFlags(flags: VmFlags): string {
  checkWord("describeVmFlags", "flags", flags);
  return flagNames(VM_FLAG_NAMES, flags).join(" ") || "none";
}

/**
 * Says what an hmm_pfn word means: "valid write 2MiB page 70", "error". Throws TypeError and RangeError for
 * anything but a 32-bit word.
 */
export function describePfn(word: number): string {
  checkWord("describePfn", "word", word);
  const names = flagNames(PFN_FLAG_NAMES, word);
  if ((word & HMM_PFN_VALID) !== 0) names.push(`page ${word & PFN_MASK}`);
  return names.join(" ") || "none";
}

/** Says what the bits mean that a fault handler answers: "VM_FAULT_OOM"; "0" if the access is tried again. */
export function describeVmFault(answer: VmFault): string {
  return (
    flagNames(VM_FAULT_NAMES, answer)
      .map((name) => `VM_FAULT_${name}`)
      .join(" | ") || String(answer)
  );
}

/** Returns the name of an event: "MMU_NOTIFY_UNMAP". */
export function eventName(event: OrNumber<MmuNotifyEvent>): string {
  return nameOf("MMU_NOTIFY_", EVENT_NAMES, event);
}

/** Returns the name of what a CPU fault did: "FAULT_KIND_ANON". */
export function faultKindName(kind: OrNumber<FaultKind>): string {
  return nameOf("FAULT_KIND_", FAULT_KIND_NAMES, kind);
}

/** Returns the name of the reason why an access failed: "FAULT_MAPERR". */
export function faultCodeName(code: OrNumber<FaultCode>): string {
  return nameOf("FAULT_", FAULT_CODE_NAMES, code);
}

function nameOf(prefix: string, names: Readonly<Record<number, string>>, number: number): string {
  return prefix + (names[number] ?? `? (${number})`);
}
