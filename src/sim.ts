/**
 * `import { simulate } from "heteromem/sim"`: simulations of what a program's memory accesses cost on a CPU
 * and a device that share one address space. Sources of records are decoders of traces, generators of
 * workloads, or a caller's own. Runs in Node, browsers and workers.
 *
 * @module heteromem/sim
 */
export { feedAll, simulate } from "./sim/simulate.ts";
export type { Progress, Signal, SimulateOptions } from "./sim/simulate-options.ts";
export { referencesOf } from "./sim/first-pass.ts";
export { missCurve, type CurveConfig, type MissCurve } from "./sim/curve.ts";
export { Simulation } from "./sim/simulation.ts";
export { SimulationError } from "./sim/simulation-error.ts";
export { ConfigError } from "./sim/config-error.ts";
export {
  MANAGED_EVICTIONS,
  MANAGED_PLACEMENTS,
  MANAGED_PREFETCHERS,
  type ManagedConfig,
  type ManagedPrefetch,
} from "./sim/managed-config.ts";
export type { Agent, DeviceRangeConfig, DeviceThreads, RangeConfig, SimulationConfig } from "./sim/config.ts";
export type { Size } from "./sim/config-values.ts";
export { PEER_FAULTS, type PeerConfig } from "./sim/peer-config.ts";
export type { PagingConfig } from "./sim/paging-config.ts";
export {
  BACKINGS,
  BOUNDS,
  EVICTIONS,
  INITIALS,
  MEMORY_MODELS,
  PLACEMENTS,
  PREFETCHERS,
  TIME_MODELS,
  type Backing,
  type Bound,
  type Evict,
  type Initial,
  type MemoryModel,
  type Placement,
  type Prefetch,
  type TimeModelName,
} from "./sim/names.ts";
export { TIME_PRESETS } from "./sim/time/presets/index.ts";
export { CAUSES, type Resource, type TimeCause } from "./sim/time/causes.ts";
export type { TimeModel } from "./sim/time/model-file.ts";
export type { TimeListener, TimedTransfer } from "./sim/time/listener.ts";
export type { CauseReport, LimitReport, TimingReport } from "./sim/time/timing.ts";
export type {
  Accesses,
  Counts,
  CpuFaults,
  DeviceAccesses,
  DeviceCounts,
  DeviceFaults,
  DeviceTraffic,
  Invalidations,
  ManagedCounts,
} from "./sim/counts.ts";
export type { DirectionTotals, PagingCounts, SizeCount, TransferTotals } from "./sim/paging-counts.ts";
export { REPORT_SCHEMA } from "./sim/report.ts";
export type {
  BoundReport,
  DeviceReport,
  EpochReport,
  FailedAllocation,
  KernelReport,
  LinkReport,
  ManagedReport,
  RangeFigures,
  RangeReport,
  SimulationReport,
  Spread,
  TransferReport,
} from "./sim/report.ts";
export type { Arrival, Evictor, EvictorOptions, EvictPolicy } from "./sim/policies/evict/evictor.ts";
export type { Future } from "./sim/policies/evict/future.ts";
export { writeRecord, type Access } from "./sim/record.ts";
export type { Block, Blocks, RecordBlock, RecordSource, TraceEvent } from "./sim/source.ts";
export { decodeHmt, decodeLackey, type Bytes, type HmtTrace, type LackeyTrace } from "./sim/trace.ts";
export { HmtFormatError, type HmtBlock, type HmtEvent, type HmtModule, type HmtStats } from "./text/hmt.ts";
export {
  TraceError,
  type Calls,
  type LackeyOptions,
  type LackeyStats,
  type LineError,
  type OffloadRange,
} from "./text/lackey.ts";
export { openWorkload, WorkloadError, type OpenWorkload, type WorkloadRange } from "./sim/workload/index.ts";
