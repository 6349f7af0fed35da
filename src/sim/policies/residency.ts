/**
 * Where a page goes when a processor faults on it: the NVIDIA driver's block_select_processor_residency
 * (uvm_va_block.c). The first of twelve rules that applies decides.
 */
import {
  ACCESS_READ,
  canMap,
  CPU,
  hasAtomics,
  NOWHERE,
  type Processor,
  type ProcessorMask,
  type Topology,
} from "../driver/processor.ts";

/** All that the choice depends on. */
export interface ResidencyQuery {
  faulter: Processor;
  /** ACCESS_*. */
  access: number;
  /** The preferred location; NOWHERE if none is set. */
  preferred: Processor;
  /** Processors that the range is advised to be accessed by. */
  accessedBy: ProcessorMask;
  /** The page may be read-duplicated: its range is read-mostly. */
  readMostly: boolean;
  /** Processors that hold the page. */
  resident: ProcessorMask;
  /** The copy nearest to the faulter; NOWHERE if there is none. */
  nearest: Processor;
  /** Where thrashing detection pins the page; NOWHERE if it does not. */
  pin: Processor;
  /** An access counter asks, not a fault. */
  counter: boolean;
  /** The page must be in RAM, or is an HMM page that cannot migrate. */
  ramOnly?: boolean;
  /** The memory is system-allocated (HMM), not managed. */
  hmm?: boolean;
  /** Pages in the memory of devices that the faulter can map stay there: an option that the driver lacks. */
  peers?: boolean;
  /** The CPU fault comes from another process's address space. */
  otherMm?: boolean;
  /** uvm_perf_map_remote_on_native_atomics_fault, by default off. */
  mapRemoteOnAtomics?: boolean;
}

/** The number of the rule that decided, 1 to 12, and the page's new residency. */
export interface Residency {
  rule: number;
  where: Processor;
}

/** Returns where the page goes. A page that stays has its nearest copy as new residency. */
export function selectResidency(query: ResidencyQuery, topology: Topology): Residency {
  const { faulter, access, preferred, nearest, pin } = query;
  if (query.ramOnly === true) return { rule: 1, where: CPU };
  if (query.readMostly) return { rule: access <= ACCESS_READ ? 2 : 3, where: faulter };
  if (faulter === preferred) return { rule: 4, where: faulter };
  if (query.hmm === true && faulter === CPU) return { rule: 5, where: CPU };
  if (pin !== NOWHERE) return { rule: 6, where: pin };
  const prefers = preferred !== NOWHERE && canMap(topology, faulter, preferred);
  if (query.resident === 0) return { rule: 7, where: prefers ? preferred : faulter };
  const stays = (query.accessedBy & (1 << faulter)) !== 0 || (query.peers === true && nearest > CPU);
  if (stays && canMap(topology, faulter, nearest) && !query.counter) return { rule: 8, where: nearest };
  if (query.mapRemoteOnAtomics === true && access > ACCESS_READ && hasAtomics(topology, faulter, nearest))
    return { rule: 9, where: nearest };
  if (prefers && (query.resident & (1 << faulter)) === 0) return { rule: 10, where: preferred };
  if (query.otherMm === true && faulter === CPU) return { rule: 11, where: nearest };
  return { rule: 12, where: faulter };
}
