/**
 * heteromem: Linux's Heterogeneous Memory Management as a library. The names are the kernel's, in camel case.
 *
 * @module heteromem
 */

// The engine. It comes first, so that bundles begin with the core's bytes (see hmm.ts).
export { Hmm } from "./hmm.ts";
export type { WasmResponse, WasmSource } from "./engine/host.ts";
export type { HugepageMode } from "./engine/protocol.ts";
export type { HmmCapacities, HmmConfig, HmmSettings, LinuxVersion } from "./engine/config.ts";
export { EDEADLK, EINVARIANT, ELOOP, errnoName, HmmError, type HmmErrorFields } from "./engine/errors.ts";
export type { HmmEventName, HmmEvents } from "./engine/events.ts";
export type { FaultStats, HmmStats } from "./engine/stats.ts";
export type { DevmemAttachment, RestoreAttachments, SnapshotOptions } from "./snapshot.ts";

// The protocol's constants.
export * from "../assembly/uapi/errno.ts";
export * from "../assembly/uapi/page.ts";
export * from "../assembly/uapi/pfn.ts";
export * from "../assembly/uapi/reason.ts";
export * from "../assembly/uapi/vm.ts";
export {
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
} from "../assembly/uapi/event.ts";
export {
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
} from "../assembly/uapi/pte.ts";
export type {
  AccessFlags,
  FaultCode,
  FaultKind,
  HmmPfnFlags,
  MadviseAdvice,
  MigrateReason,
  MigrateSelect,
  MmapFlags,
  MmuNotifyEvent,
  MremapFlags,
  OrNumber,
  Prot,
  PteFlags,
  VmFault,
  VmFlags,
} from "./engine/protocol.ts";

// Names for numbers, and descriptions.
export {
  describePfn,
  describePte,
  describeVmFault,
  describeVmFlags,
  eventName,
  faultCodeName,
  faultKindName,
} from "./engine/names.ts";
export type {
  AddressDescription,
  EntryDescription,
  MappingDescription,
  PageDescription,
  SpaceDescription,
  TableDescription,
} from "./engine/describe.ts";

// Address spaces, files and groups.
export { Mm, type AddressRange, type FaultCounts, type Rss } from "./space/mm.ts";
export type { SemOption } from "./space/hold.ts";
export type { MmapArgs, PopulateOptions, SpecialKind } from "./space/mappings.ts";
export type { AccessOptions, FaultOptions } from "./space/access.ts";
export { Pin, type PinOptions } from "./space/pin.ts";
export { MmapGuard, MmapSem } from "./space/sem.ts";
export { Vma } from "./space/vma.ts";
export { HmmFile, type FileKind, type FileOptions, type FileWriteOptions } from "./space/file.ts";
export { Memcg } from "./space/memcg.ts";
export type { KsmCounts } from "./space/ksm.ts";

// Pages and the words that name them.
export { AddressArray, PfnArray } from "./page/arrays.ts";
export {
  hmmPfn,
  hmmPfnToMapOrder,
  hmmPfnToPage,
  hmmPfnValid,
  hmmPfnWritable,
  migratePfn,
  migratePfnToPage,
  type Page,
} from "./page/words.ts";

// Migration.
export {
  hmmVmaAllocLockedPage,
  migrateVma,
  migrateVmaAsync,
  type MigrateVmaAsyncOps,
  type MigrateVmaCall,
  type MigrateVmaOps,
} from "./migrate/migrate-vma.ts";
export { Migration } from "./migrate/migration.ts";
export { explain, MigrateResult, type StayedPage } from "./migrate/reasons.ts";
export { migrateVmaSetup, type MigrateVmaArgs } from "./migrate/setup.ts";

// Devices: mirrors, notifiers, range faults, memory, page tables.
export {
  HMM_UPDATE_INVALIDATE,
  HMM_UPDATE_WRITE_PROTECT,
  HmmMirror,
  hmmMirrorRegister,
  hmmMirrorRegisterLocked,
  hmmMirrorUnregister,
  type HmmMirrorOps,
  type HmmMirrorUpdate,
  type HmmUpdateAction,
} from "./device/mirror.ts";
export {
  MmuIntervalNotifier,
  type MmuIntervalNotifierOps,
  type MmuNotifierRange,
} from "./device/notifier.ts";
export { hmmRangeFault, hmmRangeFaultAsync, type HmmRangeFaultArgs } from "./device/range-fault.ts";
export { HmmRange, hmmVmaFault, hmmVmaGetPfns, hmmVmaRangeDone } from "./device/range.ts";
export {
  hmmDevmemAdd,
  hmmDevmemRemove,
  migrateDevicePfns,
  migrateDeviceRange,
  type DevmemRemoveReport,
} from "./device/devmem-calls.ts";
export { HmmDevmem, type HmmDevmemOps } from "./device/devmem.ts";
export { DeviceTable } from "./device/device-table.ts";
export { ExclusivePages, makeDeviceExclusive } from "./device/exclusive.ts";
