/** What a machine over managed memory is made of. */
import type { Prefetcher } from "../policies/density.ts";
import type { ThrashingTimes } from "../policies/thrashing.ts";
import type { Clock } from "./clock.ts";
import type { PageMover } from "./mover.ts";
import type { PageRoomOptions } from "./page-room.ts";
import type { DeviceOptions } from "./parallel-device.ts";
import { CPU, type Processor, type ProcessorMask } from "./processor.ts";
import type { RemoteOptions } from "./uvm-smart.ts";

/** Every device. */
const DEVICES: ProcessorMask = ~(1 << CPU);

/** The advice for all memory that a placement stands for. */
export const PLACEMENT_ADVICE = {
  migrate: {},
  mirror: { preferred: CPU },
  counters: { accessedBy: DEVICES },
  adaptive: {},
  smart: {},
  explicit: { readMostly: true },
  resident: { readMostly: true },
} as const;

/** What a machine is. */
export interface MachineOptions {
  /** How many devices there are. Default: 1. */
  devices?: number;
  /** Pairs of devices that a link joins. Default: none. */
  links?: readonly (readonly [Processor, Processor])[];
  /** Whether a page in the memory of a linked device stays there, and is mapped. Default: it moves. */
  peerAccess?: boolean;
  /** Chunks of 2 MiB of device memory, of each device. */
  chunks: number;
  /** Memory by pages, with a policy. Default: by chunks, of which the least recently migrated one leaves. */
  room?: Omit<PageRoomOptions, "block"> | undefined;
  prefetcher: Prefetcher;
  /** What prefetches once memory was full. Default: as before. */
  prefetcherFull?: Prefetcher;
  /**
   * What a device fault does without advice: `migrate` the page, `mirror` it from RAM, or mirror it until
   * access `counters` migrate it. `adaptive` and `smart` are UVM-Smart's remote reads and runtime. With
   * `explicit` and `resident` nothing faults (see Baseline). Default: migrate.
   */
  placement?: keyof typeof PLACEMENT_ADVICE;
  /** Whether thrashing is detected. */
  thrashing: boolean;
  /** How long it takes for events, throttles and pins. Default: the driver's. */
  thrashingTimes?: ThrashingTimes;
  /** Remote accesses at which access counters migrate; null: they do not. */
  counters: number | null;
  /** With `adaptive`: when a read brings its page. */
  remoteReads?: RemoteOptions | undefined;
  /** Whether one thread makes all accesses of the device, whatever the records say. */
  oneThread?: boolean;
  /** Iterations of a serial loop that each thread makes (see LoopSplit). Default: records name threads. */
  iterations?: number | undefined;
  device?: Partial<DeviceOptions>;
  /** Whether pages that nobody has touched lie in RAM. */
  hostFirst?: boolean;
  mover?: PageMover;
  /** Default: each event takes a fixed time. */
  clock?: Clock;
  /** Whether processors translate by the CPU's page tables: a page that is anywhere takes no fault. */
  addressTranslation?: boolean;
}
