// The exports of the module. Operations that may suspend begin in entry/ and go on in resume(); all others
// end in one call.

export { checksum } from "./base/checksum";
export { layoutBytes } from "./base/layout";
export { abort } from "./base/panic";
export { boot } from "./boot";
export { memcgCreate, memcgSetLimit, memcgDestroy } from "./frame/memcg";
export { mmCreate } from "./mapping/lifecycle";
export { mincore } from "./mapping/mincore";
export { load32, store32, lookupPte, unpin } from "./access/access";
export {
  deviceTableClose,
  notifierBind,
  notifierInsert,
  notifierRemove,
  notifierReadBegin,
  notifierReadRetry,
  notifierSetSeq,
} from "./operation/notify";
export { addressesBelow48, translate } from "./access/translate";
export { devmemAdd, devmemRemove, devmemTakeFreed } from "./frame/devmem";
export {
  pageGet,
  pagePut,
  pageTryLock,
  pageUnlock,
  pageIsolate,
  pagePutback,
  pageData,
  pageZone,
} from "./hmm/page";
export { devmemAllocPage, devmemAllocPages, systemAllocPage, systemAllocPages } from "./migrate/destinations";
export { copyPages } from "./migrate/copy";
export { migrateFinalize } from "./migrate/finalize";
export { deviceTableMapMigrated } from "./migrate/mirror";
export {
  deviceTableCreate,
  deviceTableClear,
  deviceTableCount,
  deviceTableProtect,
  deviceTableClearAccessed,
  deviceTableAccessed,
  deviceTableTranslate,
  deviceTableLookup,
  deviceTableSnapshot,
  deviceTableAccess,
} from "./space/device-table";
export { deviceTableMap } from "./space/device-map";
export { replayCount, replayCountAgents } from "./access/count";
export { replayCountPeers } from "./access/count-peers";
export { replayCountRanges } from "./access/count-ranges";
export { replayCountRemote } from "./access/count-remote";
export { replayCountThreads } from "./access/count-threads";
export { replayOldest } from "./access/oldest";
export { replay } from "./access/replay";
export { replayPaging } from "./entry/paging";
export { arenaAlloc, arenaAllocOwn, arenaFree } from "./base/arena";
export { fileClose, fileCreate } from "./space/file";
export { fileRead, fileWrite } from "./access/file-io";
export { verify } from "./verify/verify";
export { cancel, resume } from "./entry/run";
export {
  access,
  fault,
  hmmRangeFault,
  makeDeviceExclusive,
  migrateDevicePfns,
  migrateDeviceSetup,
  migrateMove,
  migratePages,
  migrateSetup,
  pin,
} from "./entry/device";
export {
  filePunchHole,
  fileTruncate,
  findVma,
  ksmScan,
  madvise,
  mlock,
  mmap,
  mmClose,
  mmFork,
  mprotect,
  mremap,
  msync,
  munlock,
  munmap,
  uffdRegister,
} from "./entry/mapping";
