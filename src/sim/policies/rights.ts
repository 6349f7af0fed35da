/** What a processor may do with a page that is mapped for it (uvm_va_block.c). */
import {
  ACCESS_READ,
  ACCESS_WRITE,
  CPU,
  hasAtomics,
  type Processor,
  type Topology,
} from "../driver/processor.ts";

/** Rights of a mapping, each with those before it. */
export const RIGHTS_NONE = 0;
export const RIGHTS_READ = 1;
export const RIGHTS_WRITE = 2;
export const RIGHTS_ATOMIC = 3;

/** Returns the rights that an access by `p` needs. A write of the CPU counts as an atomic. */
export function rightsNeeded(p: Processor, access: number): number {
  if (access <= ACCESS_READ) return RIGHTS_READ;
  return access === ACCESS_WRITE && p !== CPU ? RIGHTS_WRITE : RIGHTS_ATOMIC;
}

/** What the rights of a new mapping depend on, beside the access. */
export interface RightsQuery {
  p: Processor;
  /** Who holds the copy that is mapped. */
  owner: Processor;
  /** The page may be read-duplicated. */
  readMostly: boolean;
  /** Another processor has a mapping with atomics that are not native to it. */
  foreignAtomics: boolean;
}

/**
 * Returns the rights with which a page is mapped for an access: those that the access needs; a read maps for
 * writing, too, unless the page may be read-duplicated or another processor has atomics that are not native;
 * with native atomics to the copy, writing includes atomics.
 */
export function rightsGiven(access: number, query: RightsQuery, topology: Topology): number {
  const { p, owner, readMostly, foreignAtomics } = query;
  let rights = rightsNeeded(p, access);
  if (rights === RIGHTS_READ && !readMostly && !foreignAtomics) rights = RIGHTS_WRITE;
  return rights === RIGHTS_WRITE && hasAtomics(topology, p, owner) ? RIGHTS_ATOMIC : rights;
}

/**
 * Returns the rights that another processor `other` keeps when `faulter` maps, with an access, a page that
 * stays with `owner`: a write takes others' atomics, an atomic of a device others' writes. Native atomics of
 * the other stand unless the faulter's own are not native.
 */
export function rightsKept(
  other: { p: Processor; rights: number },
  faulter: Processor,
  access: number,
  owner: Processor,
  topology: Topology,
): number {
  const { p, rights } = other;
  if (access < ACCESS_WRITE) return rights;
  if (faulter !== CPU && access > ACCESS_WRITE && !hasAtomics(topology, faulter, owner))
    return Math.min(rights, RIGHTS_READ);
  return hasAtomics(topology, p, owner) ? rights : Math.min(rights, RIGHTS_WRITE);
}
