/**
 * What happens in a simulation, as it happens. Both memory models publish these events to one observer: the
 * timeline of src/sim/time, which gives them times. Nobody publishes anything while nobody listens.
 */
import type { PeerWork } from "./counts.ts";
import type { Mark, MarkNames } from "./record-words.ts";
import type { Cause } from "./driver/transfers.ts";
import type { Direction } from "./paging-counts.ts";

/** A batch of device faults that a driver serves at once; under HMM it is one fault. */
export interface FaultGroup {
  /** The device, from 1 on. */
  device: number;
  /** Faults in the batch, and distinct pages that they ask for. */
  entries: number;
  pages: number;
  /** The address of the first page. */
  address: number;
  /** What asked: faults, or notifications of access counters. */
  kind: "fault" | "counter";
}

/** Where pages lie: 0 is RAM, n is device n. */
export type Place = number;

/** Hears what happens in a simulation. Addresses and lengths are in bytes, pages of 4 KiB. */
export interface SimulationEvents {
  /** Whether invalidated() matters: finding out costs time. */
  readonly countsInvalidations: boolean;
  /**
   * Records [from, to) were made, and all found their pages. Of the device's accesses, `ramLoads` and
   * `ramStores` were of RAM, and those of `overLinks` of other devices' memory. Records have four words each.
   */
  records(
    words: Uint32Array,
    from: number,
    to: number,
    ramLoads: number,
    ramStores: number,
    overLinks?: PeerWork | null,
  ): void;
  /** The CPU or a device has executed instructions. */
  instructions(agent: "cpu" | "device", n: number): void;
  /** One instruction of the CPU accessed `bytes`, or one of a device `bytes` of its own memory. */
  access(agent: "cpu" | "device", bytes: number, store: boolean): void;
  /** One instruction of a device accessed `sectors` sectors of 32 bytes of RAM: an atomic one is a store. */
  remoteAccess(sectors: number, store: boolean, atomic: boolean): void;
  /** One instruction of a device accessed `bytes` of another device's memory, over the link between them. */
  peerAccess(bytes: number, store: boolean): void;
  /** A fault of the CPU at an address is served from here on, until cpuFaultEnd. */
  cpuFaultBegin(address: number): void;
  cpuFaultEnd(): void;
  /** A driver serves a batch from here on, until groupEnd. */
  groupBegin(group: FaultGroup): void;
  groupEnd(): void;
  /** In a batch: the service of the 2 MiB block (under HMM, of the cluster) at an address begins. */
  block(address: number): void;
  /** A device's fault at an address is among those that are served. */
  deviceFault(address: number): void;
  /** Warps of a group of SMs, which share a µTLB, begin to wait for faults, or none of them waits now. */
  warpsWait(group: number): void;
  warpsGoOn(group: number): void;
  /** `bytes` are copied from one memory to another. */
  transfer(address: number, bytes: number, direction: Direction, cause: Cause): void;
  /** `pages` came to a memory: copied, or made there, zeroed. */
  arrived(address: number, pages: number, where: Place, copied: boolean): void;
  /** `pages` are in a memory no more. */
  left(address: number, pages: number, where: Place): void;
  /** A device was told that the CPU's table is about to change. */
  invalidated(): void;
  /** A mark in the records, after the accesses before it; others than those of kernels mean nothing. */
  mark(mark: Mark, names: MarkNames): void;
}
