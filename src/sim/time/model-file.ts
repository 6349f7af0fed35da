/**
 * A time model as its file has it (schema/model.schema.json, which docs/time.md explains). Each number has a
 * unit and a source. A part that a file leaves out takes no time, and the report says so.
 */
import type { Quantity, Rate, Time } from "./quantity.ts";

export const MODEL_SCHEMA = "heteromem-model/1";

/** A direction of a link: each transfer takes the latency, and its bytes at the bandwidth. */
export interface LinkDirection {
  latency?: Time;
  bandwidth: Rate;
}

/** A link whose transfers take a latency and a time by their bytes. */
export interface AffineLink {
  formula: "latency-bandwidth";
  toDevice: LinkDirection;
  toHost: LinkDirection;
  /** From one device to another. Default: as to a device. */
  peer?: LinkDirection;
}

/**
 * UVM-Smart's link, both ways: a transfer of k KiB has a bandwidth of `peak` · 2/π · atan(`slope` · k), so 4
 * KiB are far slower a byte than 2 MiB.
 */
export interface UvmSmartLink {
  formula: "uvm-smart";
  peak: Rate;
  slope: Quantity<"1/KiB">;
  /** From one device to another. Default: as to a device. */
  peer?: LinkDirection;
}

/**
 * What a batch of device faults takes, beside its transfers on the link. The parts follow each other: fetch,
 * preprocess, fixed, eachFault, unmap; then, for its blocks, eachBlock, populate and eachTransfer; map and
 * replay.
 */
export interface FaultGroupTimes {
  fetch?: Time;
  preprocess?: Time;
  /** What is not known by its parts. */
  fixed?: Time;
  /** Each page that a batch asks for. */
  eachFault?: Time;
  unmap?: Time;
  /** Each block of 2 MiB in the batch. */
  eachBlock?: Time;
  /** Pages that are made on the device: as a multiple of the time that a copy to it would take. */
  populate?: Quantity<"link times">;
  /** Each transfer to the device. */
  eachTransfer?: Time;
  map?: Time;
  replay?: Time;
}

/** A memory, and how fast loads and stores are. */
export interface MemoryRates {
  read: Rate;
  write: Rate;
}

/** A level of a TLB: entries of pages of some size, with that many ways (all, if left out). */
export interface TlbLevel {
  entries: Quantity<"entries">;
  ways?: Quantity<"ways">;
  page: Quantity<"KiB">;
  /** What a hit in this level takes. */
  hit?: Time;
}

/** A time model. */
export interface TimeModel {
  $schema?: string;
  schema: typeof MODEL_SCHEMA;
  /** The name, which reports show. */
  name: string;
  about: string;
  /** What the machine is: fields of a simulation's config that it sets, and others that it has no use for. */
  machine?: {
    set: Partial<Record<MachineField, string | number>>;
    without?: MachineField[];
    /** The device translates by the CPU's page tables: a page that is anywhere takes no fault. */
    addressTranslation?: boolean;
  };
  link?: AffineLink | UvmSmartLink;
  faultGroup?: FaultGroupTimes;
  /**
   * When the copies of evictions are made: `background`, while the batch goes on, and before the next batch
   * begins; `before`, while the batch waits. Default: background.
   */
  evictions?: "background" | "before";
  cpu?: {
    /** A fault, beside its transfers. */
    fault?: Time;
    /** An instruction, where the trace counts them. */
    instruction?: Time;
    /** An access. */
    access?: Time;
    memory?: MemoryRates;
  };
  device?: {
    /** An instruction of a thread, where the trace counts them: the reciprocal of the device's throughput. */
    instruction?: Time;
    access?: Time;
    memory?: MemoryRates;
  };
  /** The device's accesses to RAM: what each takes, and the rate of their sectors of 32 bytes. */
  remote?: {
    latency?: Time;
    /** What an atomic access takes. Default: the latency. */
    atomic?: Time;
    memory?: MemoryRates;
  };
  /**
   * A device's accesses to the memory of another one, over the link between them: what each takes, and the
   * rate of their bytes. Default of the rate: the bandwidth of link.peer.
   */
  peer?: { latency?: Time; memory?: MemoryRates };
  /**
   * Of managed memory, how long a processor is kept from a page that thrashes, and how long the page is
   * pinned. Default: as the driver does, one lapse and 300.
   */
  thrashing?: { throttle?: Time; pin?: Time };
  /** A notice to a device that the CPU's table changes. */
  invalidation?: Time;
  /** The device's translation of addresses: its TLB, from the first level on, and a walk. */
  translation?: { levels: TlbLevel[]; walk: Time };
  /** Errors of the fits, in percent, from which reports compute intervals. */
  errors?: Partial<Record<"toDevice" | "toHost" | "group" | "cpu" | "device", Quantity<"%">>>;
}

/** Fields of a config that a machine may fix. */
export type MachineField =
  | "memoryModel"
  | "placement"
  | "prefetch"
  | "prefetchFull"
  | "evict"
  | "cluster"
  | "counterThreshold"
  | "deviceMemory"
  | "deviceFrames"
  | "devices"
  | "thrashing"
  | "initial"
  | "advise";
