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
} from "./hmm.ts";
export { EDEADLK, EINVARIANT, ELOOP, HmmError, type HmmErrorFields } from "./engine/errors.ts";
export type { FaultStats, HmmStats } from "./engine/stats.ts";
export type { HmmEventName, HmmEvents } from "./engine/events.ts";

export { Mm, type FaultCounts, type Rss } from "./space/mm.ts";
export type { MmapArgs } from "./space/mappings.ts";
export type { AccessOptions } from "./space/access.ts";
export { Pin, type PinOptions } from "./space/pin.ts";
export { MmapGuard, MmapSem } from "./space/sem.ts";
export { Vma } from "./space/vma.ts";
export { HmmFile, type FileKind, type FileOptions, type FileWriteOptions } from "./space/file.ts";
export { Memcg } from "./space/memcg.ts";

export {
  HMM_UPDATE_INVALIDATE,
  HMM_UPDATE_WRITE_PROTECT,
  HmmMirror,
  hmmMirrorRegister,
  hmmMirrorRegisterLocked,
  hmmMirrorUnregister,
  type HmmMirrorOps,
  type HmmMirrorUpdate,
} from "./device/mirror.ts";
export { MmuIntervalNotifier, type MmuIntervalNotifierOps } from "./device/notifier.ts";
export type { MmuNotifierRange, VmFault } from "./engine/request.ts";
export {
  HmmRange,
  hmmRangeFault,
  hmmRangeFaultAsync,
  hmmVmaFault,
  hmmVmaGetPfns,
  hmmVmaRangeDone,
  type HmmRangeFaultArgs,
} from "./device/range.ts";

export {
  HmmDevmem,
  hmmDevmemAdd,
  hmmDevmemRemove,
  type DevmemRemoveReport,
  type HmmDevmemOps,
} from "./device/devmem.ts";
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
} from "./migrate/migrate.ts";
export type { KsmCounts } from "./space/ksm.ts";
export { Migration } from "./migrate/migration.ts";
export { explain, MigrateResult, type StayedPage } from "./migrate/reasons.ts";
export { DeviceTable } from "./device/device-table.ts";
export { ExclusivePages, makeDeviceExclusive } from "./device/exclusive.ts";
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
} from "./device/pages.ts";
