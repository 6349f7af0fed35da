/** Calls that processes make of a range, of their mappings and of a file: see misuse.ts. */
import * as api from "../../src/index.ts";
import type { Random } from "./random.ts";

/** A call and its name. */
export type Call = [name: string, call: () => void];

/** The pages that each process maps: two blocks of 2 MiB. */
export const SPAN = 1024;
const PROT = api.PROT_READ | api.PROT_WRITE;
const ADVICE = [api.MADV_DONTNEED, api.MADV_PAGEOUT, api.MADV_COLD, api.MADV_FREE, api.MADV_COLLAPSE];
const PRIVATE = api.MAP_PRIVATE | api.MAP_ANONYMOUS | api.MAP_FIXED;

/** Bytes of an address space, which may be mapped or not. */
export interface Range {
  mm: api.Mm;
  start: number;
  length: number;
}

/** Calls that access a range, or change its pages. */
export function accessCalls(random: Random, { mm, start, length }: Range): Call[] {
  return [
    ["write", () => mm.write(start, new Uint8Array(length).fill(random.below(255)))],
    ["write", () => mm.write(start, new Uint8Array(1).fill(7))],
    ["read", () => void mm.read(start, length)],
    ["madvise", () => mm.madvise(start, length, random.pick(ADVICE))],
    ["mlock", () => mm.mlock(start, length)],
    ["munlock", () => mm.munlock(start, length)],
    ["held populate", () => held(mm, (sem) => mm.populate(start, length, { sem }))],
  ];
}

/** Calls that change mappings. */
export function mappingCalls(random: Random, { mm, start, length }: Range, file: api.HmmFile): Call[] {
  const usual = { addr: start, length, prot: PROT };
  const shared = random.pick([api.MAP_SHARED, api.MAP_PRIVATE]) | api.MAP_FIXED;
  const special = random.pick([api.MAP_GROWSDOWN, api.MAP_LOCKED]);
  return [
    ["munmap", () => mm.munmap(start, length)],
    ["held munmap", () => held(mm, (sem) => mm.munmap(start, length, { sem }))],
    ["mmap", () => void mm.mmap({ ...usual, flags: PRIVATE })],
    ["mmap stack", () => void mm.mmap({ ...usual, flags: PRIVATE | special })],
    ["mmap file", () => void mm.mmap({ ...usual, flags: shared, file, offset: 0 })],
    ["mprotect", () => mm.mprotect(start, length, random.pick([PROT, api.PROT_READ]))],
    ["mremap", () => void mm.mremap(start, length, length, api.MREMAP_MAYMOVE)],
  ];
}

/** Calls that change a file which processes map. */
export function fileCalls(random: Random, file: api.HmmFile): Call[] {
  const page = (): number => random.below(8) * api.PAGE_SIZE;
  return [
    ["truncate", () => file.truncate(random.below(SPAN) * api.PAGE_SIZE)],
    ["punch", () => file.punchHole(page(), random.between(1, 8192))],
  ];
}

/** Makes a call under a write guard of its caller's. */
function held(mm: api.Mm, call: (sem: api.MmapGuard) => void): void {
  const sem = mm.mmapSem.write();
  try {
    call(sem);
  } finally {
    sem.close();
  }
}
