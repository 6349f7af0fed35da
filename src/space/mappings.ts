import { EAGAIN, EINVAL } from "../../assembly/uapi/errno.ts";
import { MAP_FILE_MIXED, MAP_FILE_PFN } from "../../assembly/abi/argument.ts";
import { HDR_RESULT } from "../../assembly/abi/header.ts";
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
import type { Context } from "../engine/context.ts";
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
  hex,
  HmmError,
} from "../engine/errors.ts";
import { checkFile, type HmmFile } from "./file.ts";
import { PROTECTIONS, whyNotMapped, whyNotRemapped } from "./mapping-errors.ts";
import { MmapSem } from "./sem.ts";

/** What `mm.mmap` takes. */
export interface MmapArgs {
  /** Bytes, rounded up to pages. */
  length: number;
  /** PROT_*; readable and writable by default. */
  prot?: number;
  /** MAP_*. Default: private anonymous memory, or with a file a shared mapping of it. */
  flags?: number;
  /** Where: with MAP_FIXED exactly (replacing what is there), else a hint. A page address. */
  addr?: number;
  /** What is mapped, if not anonymous memory: a file of `hmm.createFile()`. */
  file?: HmmFile | null;
  /** Where the mapping starts in the file, in bytes, a multiple of the page size. Default 0. */
  offset?: number;
}

/** madvise calls that take mmapSem for read only. */
const READ_ADVICE = new Set([
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

/** The system calls on an address space's mappings: the part of {@link Mm} that changes them. */
export abstract class Mappings {
  /** Its number; numbers of closed address spaces are used again. */
  readonly id: number;
  /** The lock over its mappings. */
  readonly mmapSem = new MmapSem();
  /** @internal What mprotect is installing now, PROT_*. */
  protecting = 0;
  /** @internal */
  readonly ctx: Context;
  /** @internal */
  readonly core: Context["core"];

  /** @internal */
  constructor(ctx: Context, id: number) {
    this.ctx = ctx;
    this.core = ctx.core;
    this.id = id;
  }

  /** @internal The context, unless closed. */
  abstract check(op: string): Context;

  /**
   * mmap: a new mapping. Returns its address. A shared anonymous mapping has a file of its own, which goes with its last
   * mapping. With MAP_HUGETLB (private anonymous memory only) it is made of hugetlb pages: length is rounded up to 2 MiB, a
   * fixed addr must be a multiple of it. Throws HmmError ENOMEM (address space, vmas, files, hugetlb pages), EINVAL, EEXIST
   * (MAP_FIXED_NOREPLACE). Takes mmapSem for write.
   */
  mmap(args: MmapArgs): number {
    const op = "mm.mmap";
    const ctx = this.check(op);
    if (typeof args !== "object" || args === null) throw badType(op, "args", "an object", args);
    const file = checkFile(ctx, op, args.file);
    const usual = file === 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    const { prot = PROT_READ | PROT_WRITE, flags = usual, addr = 0, offset = 0 } = args;
    const length = checkLength(op, "length", args.length, 1);
    checkU32(op, "prot", prot);
    checkU32(op, "flags", flags);
    checkPageAddress(op, "addr", addr);
    checkPageAddress(op, "offset", offset);
    if (file !== 0 && (flags & MAP_ANONYMOUS) !== 0)
      throw badRange(op, "flags", "without MAP_ANONYMOUS where a file is given", flags);
    return this.#address(
      op,
      ctx,
      () => this.core.mmap(this.id, addr, length, prot, flags, file, offset),
      (errno) => whyNotMapped(errno, addr, length, prot, flags),
    );
  }

  /**
   * What a driver's mmap makes. "mixed": ordinary zeroed pages, all there at once, that belong to no file and are not
   * anonymous (vm_insert_page, VM_MIXEDMAP). "pfn": memory without pages behind it (remap_pfn_range, VM_PFNMAP), which
   * a CPU may read and a device may not (what a CPU writes there is lost). Such mappings merge with nothing and do not migrate. Returns the address.
   * Throws as {@link mmap}.
   */
  mmapSpecial(kind: "mixed" | "pfn", args: Omit<MmapArgs, "file" | "offset">): number {
    const op = "mm.mmapSpecial";
    const ctx = this.check(op);
    if (kind !== "mixed" && kind !== "pfn") throw badType(op, "kind", '"mixed" or "pfn"', kind);
    if (typeof args !== "object" || args === null) throw badType(op, "args", "an object", args);
    const { prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED, addr = 0 } = args;
    const length = checkLength(op, "length", args.length, 1);
    checkU32(op, "prot", prot);
    checkU32(op, "flags", flags);
    checkPageAddress(op, "addr", addr);
    if ((flags & MAP_ANONYMOUS) !== 0) throw badRange(op, "flags", "without MAP_ANONYMOUS", flags);
    const what = kind === "mixed" ? MAP_FILE_MIXED : MAP_FILE_PFN;
    return this.#address(
      op,
      ctx,
      () => this.core.mmap(this.id, addr, length, prot, flags, what, 0),
      (errno) => whyNotMapped(errno, addr, length, prot, flags),
    );
  }

  /** munmap of [addr, addr + length): bytes, rounded up to pages. Holes are fine. Throws HmmError ENOMEM (a vma to split). */
  munmap(addr: number, length: number): void {
    const op = "mm.munmap";
    this.check(op);
    checkPageAddress(op, "addr", addr);
    const bytes = checkLength(op, "length", length, 1);
    this.hold(op, true, () => this.core.munmap(this.id, addr, bytes));
  }

  /**
   * mprotect of [addr, addr + length). Throws HmmError ENOMEM for a hole in the range (what comes before it is
   * changed), EACCES for a file that may not be written, EINVAL for bad bits.
   */
  mprotect(addr: number, length: number, prot: number): void {
    const op = "mm.mprotect";
    this.check(op);
    checkPageAddress(op, "addr", addr);
    const bytes = checkLength(op, "length", length, 0);
    checkU32(op, "prot", prot);
    if ((prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC)) !== 0)
      throw new HmmError(EINVAL, op, `prot ${hex(prot)} must be ${PROTECTIONS}`);
    this.protecting = prot;
    try {
      this.hold(op, true, () => this.core.mprotect(this.id, addr, bytes, prot));
    } finally {
      this.protecting = 0;
    }
  }

  /**
   * madvise of [addr, addr + length) with MADV_*. Throws HmmError EINVAL (advice unknown or not for this mapping),
   * ENOMEM (a hole; what can be done is done), EFAULT (populate failed).
   */
  madvise(addr: number, length: number, advice: number): void {
    this.#advise("mm.madvise", addr, length, advice);
  }

  #advise(op: string, addr: number, length: number, advice: number): void {
    this.check(op);
    checkPageAddress(op, "addr", addr);
    const bytes = checkLength(op, "length", length, 0);
    checkU32(op, "advice", advice);
    const call = (): number => this.core.madvise(this.id, addr, bytes, advice);
    this.hold(op, !READ_ADVICE.has(advice), call, undefined, (errno) =>
      errno === EINVAL ? `advice ${advice} must be a MADV_* that is built and fits the mapping` : undefined,
    );
  }

  /** MADV_POPULATE_WRITE (or, with write false, _READ): faults [addr, addr + length) in. Throws as madvise. */
  populate(addr: number, length: number, options: { write?: boolean } = {}): void {
    const op = "mm.populate";
    checkOptions(op, "options", options);
    const write = options.write === undefined || checkFlag(op, "options.write", options.write);
    this.#advise(op, addr, length, write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
  }

  /**
   * mremap: resizes or moves a mapping (lengths in bytes, rounded up). newAddr is read with MREMAP_FIXED. Returns the
   * new address. Throws HmmError EFAULT (a hole), ENOMEM, EINVAL.
   */
  mremap(addr: number, oldLength: number, newLength: number, flags = 0, newAddr = 0): number {
    const op = "mm.mremap";
    const ctx = this.check(op);
    checkPageAddress(op, "addr", addr);
    const from = checkLength(op, "oldLength", oldLength, 0);
    const to = checkLength(op, "newLength", newLength, 1);
    checkU32(op, "flags", flags);
    if ((flags & MREMAP_FIXED) !== 0) checkPageAddress(op, "newAddr", newAddr);
    else checkAddress(op, "newAddr", newAddr);
    return this.#address(
      op,
      ctx,
      () => this.core.mremap(this.id, addr, from, to, flags, newAddr),
      (errno) => whyNotRemapped(errno, addr, from, to, flags, newAddr),
    );
  }

  /** mlock: the range stays resident. Throws HmmError ENOMEM (a hole), EAGAIN. */
  mlock(addr: number, length: number): void {
    const op = "mm.mlock";
    this.check(op);
    checkPageAddress(op, "addr", addr);
    const bytes = checkLength(op, "length", length, 0);
    const { ctx } = this;
    this.hold(
      op,
      true,
      () => this.core.mlock(this.id, addr, bytes),
      undefined,
      (errno) =>
        errno === EAGAIN ? `not all pages could be brought: ${ctx.exhausted() || "one is busy"}` : undefined,
    );
  }

  /**
   * userfaultfd over [addr, addr + length), for missing pages, with the SIGBUS feature: a touch of memory that was never
   * there is a SIGBUS (HmmError EFAULT), and a migration does not fill its holes. Throws HmmError EINVAL for holes and
   * for mappings of files. Fork and mremap leave it behind.
   */
  uffdRegister(addr: number, length: number): void {
    this.#uffd("mm.uffdRegister", addr, length, 1);
  }

  /** Ends userfaultfd over [addr, addr + length). Throws as {@link uffdRegister}. */
  uffdUnregister(addr: number, length: number): void {
    this.#uffd("mm.uffdUnregister", addr, length, 0);
  }

  #uffd(op: string, addr: number, length: number, on: number): void {
    this.check(op);
    checkPageAddress(op, "addr", addr);
    const bytes = checkLength(op, "length", length, 1);
    const call = (): number => this.core.uffdRegister(this.id, addr, bytes, on);
    this.hold(op, true, call, undefined, (errno) =>
      errno === EINVAL
        ? `addr ${hex(addr)}, length ${hex(bytes)}: must be anonymous memory without holes`
        : undefined,
    );
  }

  /** munlock. Throws HmmError ENOMEM (a hole). */
  munlock(addr: number, length: number): void {
    const op = "mm.munlock";
    this.check(op);
    checkPageAddress(op, "addr", addr);
    const bytes = checkLength(op, "length", length, 0);
    this.hold(op, true, () => this.core.munlock(this.id, addr, bytes));
  }

  /**
   * msync(MS_SYNC) of [addr, addr + length): the dirty pages of disk files that are mapped shared there are written back.
   * Their entries are clean and write-protected then, after the mirrors were told: the next write faults. Throws
   * HmmError ENOMEM for a hole in the range (what can be written is).
   */
  msync(addr: number, length: number): void {
    const op = "mm.msync";
    this.check(op);
    checkPageAddress(op, "addr", addr);
    const bytes = checkLength(op, "length", length, 0);
    this.hold(op, false, () => this.core.msync(this.id, addr, bytes));
  }

  /** mincore: a byte a page, bit 0: resident. Throws HmmError ENOMEM (a hole). */
  mincore(addr: number, length: number): Uint8Array {
    const op = "mm.mincore";
    const ctx = this.check(op);
    checkPageAddress(op, "addr", addr);
    const npages = checkLength(op, "length", length, 0) / 4096;
    checkInteger(op, "length in pages", npages, 0, 2 ** 28);
    if (npages === 0) return new Uint8Array(0);
    let resident = new Uint8Array(0);
    const call = (out: number): number => {
      const answer = this.core.mincore(this.id, addr, npages * 4096, out);
      resident = ctx.mem.bytes.slice(out, out + npages);
      return answer;
    };
    this.hold(op, false, () => ctx.withScratch(op, npages, call));
    return resident;
  }

  /**
   * @internal Runs a core operation while mmapSem is held for read or write. `done` runs before anything else can
   * happen, if the operation succeeded; `why` says what was wrong, if it failed.
   */
  hold(
    op: string,
    write: boolean,
    call: () => number,
    done?: (answer: number) => void,
    why?: (errno: number) => string | undefined,
  ): number {
    const { ctx, mmapSem } = this;
    let answer: number;
    if (write) {
      ctx.demandNoInvalidation(op);
      mmapSem.enterWrite(op);
    } else mmapSem.enterRead(op);
    try {
      answer = ctx.run(call());
      if (answer >= 0) done?.(answer);
    } finally {
      if (write) mmapSem.leaveWrite();
      else mmapSem.leaveRead(op);
    }
    if (answer < 0 && why !== undefined) ctx.abort(ctx.error(op, -answer, why(-answer)));
    return ctx.finish(op, answer);
  }

  /** An operation whose result is an address. */
  #address(op: string, ctx: Context, call: () => number, why: (errno: number) => string | undefined): number {
    let address = 0;
    this.hold(op, true, call, () => (address = ctx.mem.headerF64(HDR_RESULT)), why);
    return address;
  }
}
