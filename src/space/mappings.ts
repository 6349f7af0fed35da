/** The system calls that change an address space's mappings. Mm's methods of the same names document them. */
import { EAGAIN, EINVAL, ENOMEM } from "../../assembly/uapi/errno.ts";
import { MAP_FILE_MIXED, MAP_FILE_PFN } from "../../assembly/abi/argument.ts";
import { HDR_RESULT } from "../../assembly/abi/header.ts";
import { PAGE_SIZE, TASK_SIZE } from "../../assembly/uapi/page.ts";
import {
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_REMOVE,
  MADV_WILLNEED,
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_FIXED,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../../assembly/uapi/vm.ts";
import {
  badRange,
  badType,
  checkAddress,
  checkFlag,
  checkInteger,
  checkLength,
  checkOptions,
  checkPageAddress,
  checkU32,
  checkWord,
  hex,
  HmmError,
} from "../engine/errors.ts";
import type { MmapFlags, Prot } from "../engine/protocol.ts";
import { checkFile, type HmmFile } from "./file.ts";
import { hold, holdOf, type Hold, type SemOption } from "./hold.ts";
import { PROTECTIONS, whyNotMapped, whyNotRemapped, whyNotUnmapped } from "./mapping-errors.ts";
import type { Space } from "./space.ts";

/** What `mm.mmap` takes. */
export interface MmapArgs extends SemOption {
  /** Bytes, rounded up to pages. */
  length: number;
  /** PROT_* bits. Default: PROT_READ | PROT_WRITE. */
  prot?: Prot | undefined;
  /** MAP_* bits. Default: MAP_PRIVATE | MAP_ANONYMOUS, or with a file MAP_SHARED. */
  flags?: MmapFlags | undefined;
  /**
   * A page address: with MAP_FIXED the address itself (what is mapped there is replaced), else a hint.
   * Default 0.
   */
  addr?: number | undefined;
  /** The file to map, made by `hmm.createFile()`. Default: anonymous memory. */
  file?: HmmFile | null | undefined;
  /** Where the mapping begins in the file: bytes, a multiple of the page size. Default 0. */
  offset?: number | undefined;
}

/** What `mm.populate` takes. */
export interface PopulateOptions extends SemOption {
  /** Whether the pages are faulted in for writing. Default true. */
  write?: boolean | undefined;
}

/** The kinds of mappings that `mm.mmapSpecial` makes. */
export type SpecialKind = "mixed" | "pfn";

/** The advice for which madvise takes mmapSem for read; it takes the lock for write for any other. */
const READ_ADVICE = new Set<number>([
  MADV_WILLNEED,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_REMOVE,
  MADV_COLD,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_COLLAPSE,
]);

/** Runs an operation as {@link hold} does, whose result is an address. Returns the address. */
function holdForAddress(
  space: Space,
  op: string,
  how: Hold,
  call: () => number,
  why: (errno: number) => string | undefined,
): number {
  let address = 0;
  hold(space, op, how, call, () => (address = space.ctx.mem.headerF64(HDR_RESULT)), why);
  return address;
}

/** Checks [addr, addr + length) of a system call. Returns the length, rounded up to pages. */
function checkRange(space: Space, op: string, addr: number, length: number, min: number): number {
  space.check(op);
  checkPageAddress(op, "addr", addr);
  return checkLength(op, "length", length, min);
}

/** @internal Mm.mmap. */
export function mmap(space: Space, args: MmapArgs): number {
  const op = "mm.mmap";
  const ctx = space.check(op);
  if (typeof args !== "object" || args === null) throw badType(op, "args", "an object", args);
  const file = checkFile(ctx, op, args.file);
  const usual = file === 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  const { prot = PROT_READ | PROT_WRITE, flags = usual, addr = 0, offset = 0 } = args;
  const length = checkLength(op, "length", args.length, 1);
  checkWord(op, "prot", prot);
  checkWord(op, "flags", flags);
  checkPageAddress(op, "addr", addr);
  checkPageAddress(op, "offset", offset);
  if (file !== 0 && (flags & MAP_ANONYMOUS) !== 0)
    throw badRange(op, "flags", "without MAP_ANONYMOUS where a file is given", flags);
  return holdForAddress(
    space,
    op,
    args.sem ?? "write",
    () => space.core.mmap(space.id, addr, length, prot, flags, file, offset),
    (errno) => whyNotMapped(errno, addr, length, prot >>> 0, flags >>> 0),
  );
}

/** @internal Mm.mmapSpecial. */
export function mmapSpecial(
  space: Space,
  kind: SpecialKind,
  args: Omit<MmapArgs, "file" | "offset">,
): number {
  const op = "mm.mmapSpecial";
  space.check(op);
  if (kind !== "mixed" && kind !== "pfn") throw badType(op, "kind", '"mixed" or "pfn"', kind);
  if (typeof args !== "object" || args === null) throw badType(op, "args", "an object", args);
  const { prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED, addr = 0 } = args;
  const length = checkLength(op, "length", args.length, 1);
  checkWord(op, "prot", prot);
  checkWord(op, "flags", flags);
  checkPageAddress(op, "addr", addr);
  if ((flags & MAP_ANONYMOUS) !== 0) throw badRange(op, "flags", "without MAP_ANONYMOUS", flags);
  const what = kind === "mixed" ? MAP_FILE_MIXED : MAP_FILE_PFN;
  return holdForAddress(
    space,
    op,
    args.sem ?? "write",
    () => space.core.mmap(space.id, addr, length, prot, flags, what, 0),
    (errno) => whyNotMapped(errno, addr, length, prot >>> 0, flags >>> 0),
  );
}

/** @internal Mm.munmap and Mm.munmapAsync: `op` names the method. */
export function munmap(space: Space, op: string, addr: number, length: number, options: SemOption): void {
  const how = holdOf(op, options);
  const bytes = checkRange(space, op, addr, length, 1);
  const call = (): number => space.core.munmap(space.id, addr, bytes);
  hold(space, op, how, call, undefined, (errno) => whyNotUnmapped(errno, addr, bytes));
}

/** @internal Mm.mprotect and Mm.mprotectAsync: `op` names the method. */
export function mprotect(
  space: Space,
  op: string,
  addr: number,
  length: number,
  prot: Prot,
  options: SemOption,
): void {
  const how = holdOf(op, options);
  const bytes = checkRange(space, op, addr, length, 0);
  checkWord(op, "prot", prot);
  if ((prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC)) !== 0)
    throw new HmmError(EINVAL, op, `prot ${hex(prot >>> 0)} must be ${PROTECTIONS}`);
  space.protecting = prot;
  try {
    hold(space, op, how, () => space.core.mprotect(space.id, addr, bytes, prot));
  } finally {
    space.protecting = 0;
  }
}

/** @internal Mm.madvise, and what is built on it: `op` names the method. */
export function madvise(
  space: Space,
  op: string,
  addr: number,
  length: number,
  advice: number,
  options: SemOption,
): void {
  checkOptions(op, "options", options);
  const bytes = checkRange(space, op, addr, length, 0);
  checkU32(op, "advice", advice);
  const call = (): number => space.core.madvise(space.id, addr, bytes, advice);
  const how = options.sem ?? (READ_ADVICE.has(advice) ? "read" : "write");
  hold(space, op, how, call, undefined, (errno) =>
    errno === EINVAL ? `advice ${advice} must be a MADV_* that is built and fits the mapping` : undefined,
  );
}

/** @internal Mm.populate. */
export function populate(space: Space, addr: number, length: number, options: PopulateOptions): void {
  const op = "mm.populate";
  checkOptions(op, "options", options);
  const write = options.write === undefined || checkFlag(op, "options.write", options.write);
  madvise(space, op, addr, length, write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ, options);
}

/** @internal Mm.mremap and Mm.mremapAsync: `op` names the method. */
export function mremap(
  space: Space,
  op: string,
  addr: number,
  oldLength: number,
  newLength: number,
  flags: number,
  newAddr: number,
  options: SemOption,
): number {
  const how = holdOf(op, options);
  space.check(op);
  checkPageAddress(op, "addr", addr);
  const from = checkLength(op, "oldLength", oldLength, 0);
  const to = checkLength(op, "newLength", newLength, 1);
  checkWord(op, "flags", flags);
  if ((flags & MREMAP_FIXED) !== 0) checkPageAddress(op, "newAddr", newAddr);
  else checkAddress(op, "newAddr", newAddr);
  return holdForAddress(
    space,
    op,
    how,
    () => space.core.mremap(space.id, addr, from, to, flags, newAddr),
    (errno) => whyNotRemapped(errno, addr, from, to, flags >>> 0, newAddr),
  );
}

/** @internal Mm.mlock. */
export function mlock(space: Space, addr: number, length: number, options: SemOption): void {
  const op = "mm.mlock";
  const how = holdOf(op, options);
  const bytes = checkRange(space, op, addr, length, 0);
  const call = (): number => space.core.mlock(space.id, addr, bytes);
  hold(space, op, how, call, undefined, (errno) =>
    errno === EAGAIN
      ? `not all pages could be brought: ${space.ctx.exhausted() || "one is busy"}`
      : undefined,
  );
}

/** @internal Mm.munlock. */
export function munlock(space: Space, addr: number, length: number, options: SemOption): void {
  const op = "mm.munlock";
  const how = holdOf(op, options);
  const bytes = checkRange(space, op, addr, length, 0);
  hold(space, op, how, () => space.core.munlock(space.id, addr, bytes));
}

/** @internal Mm.uffdRegister and Mm.uffdUnregister. */
export function uffd(
  space: Space,
  op: string,
  addr: number,
  length: number,
  on: boolean,
  options: SemOption,
): void {
  const how = holdOf(op, options);
  const bytes = checkRange(space, op, addr, length, 1);
  const call = (): number => space.core.uffdRegister(space.id, addr, bytes, on ? 1 : 0);
  hold(space, op, how, call, undefined, (errno) =>
    errno === EINVAL
      ? `addr ${hex(addr)}, length ${hex(bytes)}: must be anonymous memory without holes`
      : undefined,
  );
}

/** @internal Mm.msync. */
export function msync(space: Space, addr: number, length: number): void {
  const op = "mm.msync";
  const bytes = checkRange(space, op, addr, length, 0);
  hold(space, op, "read", () => space.core.msync(space.id, addr, bytes));
}

/** @internal Mm.mincore. */
export function mincore(space: Space, addr: number, length: number): Uint8Array {
  const op = "mm.mincore";
  const bytes = checkRange(space, op, addr, length, 0);
  const npages = bytes / PAGE_SIZE;
  if (addr + bytes > TASK_SIZE) throw new HmmError(ENOMEM, op, `no memory is mapped at ${hex(TASK_SIZE)}`);
  checkInteger(op, "length in pages", npages, 0, 2 ** 28);
  if (npages === 0) return new Uint8Array(0);
  const { ctx } = space;
  let resident = new Uint8Array(0);
  const call = (out: number): number => {
    const answer = space.core.mincore(space.id, addr, bytes, out);
    resident = ctx.mem.bytes.slice(out, out + npages);
    return answer;
  };
  hold(space, op, "read", () => ctx.withScratch(op, npages, call));
  return resident;
}
