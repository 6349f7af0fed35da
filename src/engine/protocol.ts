/**
 * The types of the protocol's numbers. A type that is a union lists the values of one family of constants, so
 * that an editor completes and checks them; a set of bits is a plain number under a name that says which
 * constants it is made of.
 */

/** The values of a module's constants whose names begin with Prefix. */
type Family<M, Prefix extends string> = {
  [K in keyof M]: K extends `${Prefix}${string}` ? M[K] : never;
}[keyof M];

type EventModule = typeof import("../../assembly/uapi/event.ts");
type VmModule = typeof import("../../assembly/uapi/vm.ts");
type ReasonModule = typeof import("../../assembly/uapi/reason.ts");

/** T as an argument: an editor completes T's values, and a computed number is accepted too. */
export type OrNumber<T extends number> = T | (number & {});

/** MMU_NOTIFY_*: why entries change (`enum mmu_notifier_event`). */
export type MmuNotifyEvent = Family<EventModule, "MMU_NOTIFY_">;

/** FAULT_KIND_*: what a CPU fault did. */
export type FaultKind = Family<EventModule, "FAULT_KIND_">;

/** FAULT_NONE, FAULT_MAPERR, …: why an access failed (`HmmError.faultCode`). */
export type FaultCode = Family<VmModule, "FAULT_">;

/** MADV_*: the advice of `mm.madvise`. */
export type MadviseAdvice = Family<VmModule, "MADV_">;

/** REASON_*: why a migration left a page where it was. */
export type MigrateReason = Family<Omit<ReasonModule, "REASON_COUNT">, "REASON_">;

/** PROT_READ, PROT_WRITE and PROT_EXEC, combined with `|`; PROT_NONE is 0. */
export type Prot = number;

/** MAP_* bits, combined with `|`. */
export type MmapFlags = number;

/** MREMAP_* bits, combined with `|`. */
export type MremapFlags = number;

/** VM_* bits of a mapping. */
export type VmFlags = number;

/** PTE_* bits of a page-table entry's low word. */
export type PteFlags = number;

/** ACCESS_* bits: how memory is touched. */
export type AccessFlags = number;

/** VM_FAULT_* bits; 0: the page was brought back, and the access is tried again. */
export type VmFault = number;

/** MIGRATE_VMA_SELECT_* bits: which kinds of pages a migration collects. */
export type MigrateSelect = number;

/** HMM_PFN_* bits, combined with `|`. */
export type HmmPfnFlags = number;

/** For which mappings faults map folios of a size: none, those with MADV_HUGEPAGE, or all. */
export type HugepageMode = "never" | "madvise" | "always";
