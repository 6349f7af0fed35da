/**
 * Processors, what they may do with each other's memory, and kinds of access, as the managed driver sees
 * them.
 */

/** The number of a processor: 0 is the CPU, n the device n − 1. */
export type Processor = number;
/** The CPU, which alone has RAM. */
export const CPU: Processor = 0;
/** No processor. */
export const NOWHERE: Processor = -1;

/** A set of processors: bit p for processor p. */
export type ProcessorMask = number;

/** Kinds of access, from the weakest to the strongest (uvm_fault_access_type_t). */
export const ACCESS_PREFETCH = 0;
export const ACCESS_READ = 1;
export const ACCESS_WRITE = 2;
export const ACCESS_ATOMIC_WEAK = 3;
export const ACCESS_ATOMIC_STRONG = 4;

/** What processors can do with each other's memory. Every processor maps its own with atomics. */
export interface Topology {
  /** How many processors there are. */
  readonly processors: number;
  /** By processor: those whose memory it can map; its own is among them. */
  readonly maps: readonly ProcessorMask[];
  /** By processor: those with whose memory it has native atomics; its own is among them. */
  readonly atomics: readonly ProcessorMask[];
  /** By processor: those whose memory it reaches over a fast link (NVLink). */
  readonly fast: readonly ProcessorMask[];
}

/**
 * Returns the topology of x86 with devices on PCIe: a device maps RAM, without native atomics; the CPU maps
 * no device's memory, and no device another's: x86 and PCIe.
 */
export function pcie(devices: number): Topology {
  const all = Array.from({ length: devices + 1 }, (_, p) => p);
  return {
    processors: devices + 1,
    maps: all.map((p) => (1 << p) | (1 << CPU)),
    atomics: all.map((p) => 1 << p),
    fast: all.map(() => 0),
  };
}

/**
 * Returns the topology of pcie() with links between pairs of devices (processor numbers), as NVLink is: each
 * maps the other's memory, with native atomics, and the link is a fast one.
 */
export function linked(devices: number, links: readonly (readonly [Processor, Processor])[]): Topology {
  const { processors, maps, atomics, fast } = pcie(devices);
  const all = { processors, maps: [...maps], atomics: [...atomics], fast: [...fast] };
  for (const [a, b] of links)
    for (const masks of [all.maps, all.atomics, all.fast]) {
      masks[a] |= 1 << b;
      masks[b] |= 1 << a;
    }
  return all;
}

/** Returns whether processor `p` can map memory of `owner`. */
export function canMap({ maps }: Topology, p: Processor, owner: Processor): boolean {
  return (maps[p] & (1 << owner)) !== 0;
}

/** Returns whether processor `p` has native atomics to memory of `owner`. */
export function hasAtomics({ atomics }: Topology, p: Processor, owner: Processor): boolean {
  return (atomics[p] & (1 << owner)) !== 0;
}

/**
 * Returns the holder in `mask` whose copy is nearest to `p`: itself, one that it can map, any; of several the
 * one with the lowest number, the CPU last. NOWHERE if the mask is empty.
 */
export function nearestCopy(topology: Topology, p: Processor, mask: ProcessorMask): Processor {
  if ((mask & (1 << p)) !== 0) return p;
  const mapped = mask & topology.maps[p];
  const near = mapped === 0 ? mask : mapped;
  const devices = near & ~(1 << CPU);
  const from = devices === 0 ? near : devices;
  return from === 0 ? NOWHERE : 31 - Math.clz32(from & -from);
}
