/**
 * heteromem: Linux's Heterogeneous Memory Management as a library. The names are the kernel's, camelCased.
 */

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
  Hmm,
  type HmmCapacities,
  type HmmConfig,
  type HmmSettings,
  type RestoreAttachments,
  type SnapshotOptions,
} from "./engine.ts";
export { EDEADLK, EINVARIANT, ELOOP, HmmError, type HmmErrorFields } from "./errors.ts";
export type { FaultStats, HmmStats } from "./stats.ts";
export type { HmmEventName, HmmEvents } from "./events.ts";

export { Mm, type FaultCounts, type Rss } from "./mm.ts";
export type { MmapArgs } from "./mappings.ts";
export type { AccessOptions } from "./access.ts";
export { Pin, type PinOptions } from "./pin.ts";
export { MmapGuard, MmapSem } from "./sem.ts";
export { Vma } from "./vma.ts";
export { HmmFile, type FileKind, type FileOptions, type FileWriteOptions } from "./file.ts";
export { Memcg } from "./memcg.ts";

export {
  HMM_UPDATE_INVALIDATE,
  HMM_UPDATE_WRITE_PROTECT,
  HmmMirror,
  hmmMirrorRegister,
  hmmMirrorRegisterLocked,
  hmmMirrorUnregister,
  type HmmMirrorOps,
  type HmmMirrorUpdate,
} from "./mirror.ts";
export { MmuIntervalNotifier, type MmuIntervalNotifierOps } from "./notifier.ts";
export type { MmuNotifierRange, VmFault } from "./request.ts";
export {
  HmmRange,
  hmmRangeFault,
  hmmRangeFaultAsync,
  hmmVmaFault,
  hmmVmaGetPfns,
  hmmVmaRangeDone,
  type HmmRangeFaultArgs,
} from "./range.ts";

export {
  HmmDevmem,
  hmmDevmemAdd,
  hmmDevmemRemove,
  type DevmemRemoveReport,
  type HmmDevmemOps,
} from "./devmem.ts";
export {
  hmmVmaAllocLockedPage,
  migrateDeviceRange,
  migrateVma,
  migrateVmaAsync,
  migrateVmaSetup,
  type MigrateVmaArgs,
  type MigrateVmaAsyncOps,
  type MigrateVmaCall,
  type MigrateVmaOps,
} from "./migrate.ts";
export type { KsmCounts } from "./ksm.ts";
export { Migration } from "./migration.ts";
export { explain, MigrateResult, type StayedPage } from "./reasons.ts";
export { DeviceTable } from "./device-table.ts";
export { ExclusivePages, makeDeviceExclusive } from "./exclusive.ts";
export {
  AddressArray,
  hmmPfn,
  hmmPfnToMapOrder,
  hmmPfnToPage,
  hmmPfnValid,
  hmmPfnWritable,
  migratePfn,
  migratePfnToPage,
  PfnArray,
  type Page,
} from "./pages.ts";
