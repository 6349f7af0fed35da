/** The records' operations through the public API. */
import {
  EFAULT,
  EIO,
  FAULT_OOM,
  HmmError,
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_MERGEABLE,
  MADV_NOHUGEPAGE,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_REMOVE,
  MADV_UNMERGEABLE,
  MADV_WILLNEED,
  MADV_WIPEONFORK,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PAGE_SIZE,
  type HugepageMode,
} from "../../src/index.ts";
import { bytes, num, page, protOf, retOf, signalOf, type Arguments, type Perform } from "./arguments.ts";
import { encodeBytes, encodePage, encodePages, patternPages, UNTOUCHED, type PageContent } from "./codec.ts";
import type { CommandResult } from "./command.ts";
import type { GoldenHandle } from "./driver.ts";
import { FILE_OPERATIONS, mmap } from "./file-operations.ts";
import { handleOf, type Process } from "./process.ts";
import type { Answer } from "./records.ts";
import { frameStates } from "./frame-states.ts";
import { PIN_OPERATIONS } from "./pins.ts";
import { isPfnMap, smapsOf } from "./state.ts";

const ADVICE: Readonly<Record<string, number>> = {
  dontneed: MADV_DONTNEED,
  free: MADV_FREE,
  cold: MADV_COLD,
  pageout: MADV_PAGEOUT,
  willneed: MADV_WILLNEED,
  remove: MADV_REMOVE,
  populate_read: MADV_POPULATE_READ,
  populate_write: MADV_POPULATE_WRITE,
  hugepage: MADV_HUGEPAGE,
  nohugepage: MADV_NOHUGEPAGE,
  collapse: MADV_COLLAPSE,
  mergeable: MADV_MERGEABLE,
  unmergeable: MADV_UNMERGEABLE,
  dontfork: MADV_DONTFORK,
  wipeonfork: MADV_WIPEONFORK,
};

function adviceOf(name: string | number): number {
  const advice: number | undefined = ADVICE[name];
  if (advice === undefined) throw new Error(`unknown advice ${name}`);
  return advice;
}

/** As signalOf(). A process that runs out of memory in a fault tries again. */
function tried(access: () => unknown): number | string {
  try {
    return signalOf(access);
  } catch (error) {
    if (!(error instanceof HmmError) || error.faultCode !== FAULT_OOM) throw error;
    return signalOf(access);
  }
}

/** Returns PAGE_SIZE, or -errno if the access fails with an error that a process sees as a signal. */
function transfer(errno: number, access: () => unknown): number {
  if (errno === EFAULT) return tried(access) === 0 ? PAGE_SIZE : -errno;
  try {
    return signalOf(access) === 0 ? PAGE_SIZE : -errno;
  } catch (error) {
    if (!(error instanceof HmmError) || error.faultCode !== FAULT_OOM) throw error;
    return -errno;
  }
}

/** Runs `body` and adds the page faults that the process takes. */
function withFaults(process: Process, body: () => Answer): Answer {
  const before = process.mm.faults.total;
  const answer = body();
  return { ...answer, flt: process.mm.faults.total - before };
}

function cpuRead({ mm }: Process, args: Arguments): Answer {
  const buffer = new Uint8Array(PAGE_SIZE);
  const data: PageContent[] = [];
  for (let i = 0; i < num(args, 1); i++) {
    const signal = tried(() => mm.read(page(args, 0) + i * PAGE_SIZE, buffer));
    data.push(signal === 0 ? encodePage(buffer) : signal);
  }
  // The contents of physical memory depend on the machine, so the records leave them out.
  return isPfnMap(mm, page(args, 0)) ? {} : { data };
}

function cpuWrite({ mm }: Process, args: Arguments): Answer {
  const sig: (number | string)[] = [];
  for (let i = 0; i < num(args, 1); i++) {
    const pattern = patternPages(1, num(args, 2) + i);
    sig.push(tried(() => mm.write(page(args, 0) + i * PAGE_SIZE, pattern)));
  }
  return sig.every((signal) => signal === 0) ? { ok: 1 } : { ok: 0, sig };
}

function cpuWriteByte({ mm }: Process, args: Arguments): Answer {
  const signal = tried(() => mm.write(page(args, 0) + num(args, 1), Uint8Array.of(num(args, 2))));
  return signal === 0 ? { ok: 1 } : { ok: 0, sig: [signal] };
}

/** Reads pages on behalf of something other than the process's instructions. */
function readFor(errno: number, options: { kernel?: boolean; force?: boolean }): Perform {
  return ({ mm }, args) => {
    const rets: number[] = [];
    const data: PageContent[] = [];
    for (let i = 0; i < num(args, 1); i++) {
      const buffer = new Uint8Array(PAGE_SIZE).fill(UNTOUCHED);
      const ret = transfer(errno, () => mm.read(page(args, 0) + i * PAGE_SIZE, buffer, options));
      rets.push(ret);
      data.push(encodePage(buffer));
    }
    return { rets, data };
  };
}

function writeFor(errno: number, options: { kernel?: boolean; force?: boolean }): Perform {
  return ({ mm }, args) => {
    const rets: number[] = [];
    for (let i = 0; i < num(args, 1); i++) {
      const pattern = patternPages(1, num(args, 2) + i);
      rets.push(transfer(errno, () => mm.write(page(args, 0) + i * PAGE_SIZE, pattern, options)));
    }
    return { rets };
  };
}

function mincore({ mm }: Process, args: Arguments): Answer {
  let vec: Uint8Array | undefined;
  const ret = retOf(() => (vec = mm.mincore(page(args, 0), bytes(args, 1))));
  return vec === undefined ? { ret } : { ret, vec: encodeBytes(vec.map((byte) => byte & 1)) };
}

/** Runs a device command on n pages from a with the handle that its first argument names. */
function command(run: (handle: GoldenHandle, args: Arguments) => CommandResult): Perform {
  return (process, args) => {
    const { ret, cpages, faults, bytes: content } = run(handleOf(process, num(args, 0)), args);
    return { ret, cpages, faults, ...(content === undefined ? {} : { data: encodePages(content) }) };
  };
}

function snapshot(process: Process, args: Arguments): Answer {
  const handle = handleOf(process, num(args, 0));
  const { ret, cpages, bytes: states } = handle.snapshot(page(args, 1), num(args, 2));
  return { ret, cpages, faults: 0, snap: encodeBytes(states) };
}

/** Full scans of ksmd for which the recorder waits. */
const KSM_PASSES = 5;

/** The operations by name. Each returns the fields of its record other than the state. */
export const OPERATIONS: ReadonlyMap<string, Perform> = new Map<string, Perform>([
  // memory
  ["mmap", mmap],
  ["munmap", ({ mm }, args) => ({ ret: retOf(() => mm.munmap(page(args, 0), bytes(args, 1))) })],
  [
    "mprotect",
    ({ mm }, args) => ({ ret: retOf(() => mm.mprotect(page(args, 0), bytes(args, 1), protOf(args[2]))) }),
  ],
  [
    "madv",
    ({ mm }, args) => ({ ret: retOf(() => mm.madvise(page(args, 0), bytes(args, 1), adviceOf(args[2]))) }),
  ],
  [
    "mremap",
    ({ mm }, args) => {
      const flags = MREMAP_MAYMOVE | MREMAP_FIXED | (args[4] === "du" ? MREMAP_DONTUNMAP : 0);
      return {
        ret: retOf(() => mm.mremap(page(args, 0), bytes(args, 1), bytes(args, 3), flags, page(args, 2))),
      };
    },
  ],
  [
    "mresize",
    ({ mm }, args) => ({ ret: retOf(() => mm.mremap(page(args, 0), bytes(args, 1), bytes(args, 2))) }),
  ],
  ["mlock", ({ mm }, args) => ({ ret: retOf(() => mm.mlock(page(args, 0), bytes(args, 1))) })],
  ["munlock", ({ mm }, args) => ({ ret: retOf(() => mm.munlock(page(args, 0), bytes(args, 1))) })],
  ["mincore", mincore],
  ["msync", ({ mm }, args) => ({ ret: retOf(() => mm.msync(page(args, 0), bytes(args, 1))) })],
  ...FILE_OPERATIONS,
  // CPU and kernel accesses
  ["r", (process, args) => withFaults(process, () => cpuRead(process, args))],
  ["w", (process, args) => withFaults(process, () => cpuWrite(process, args))],
  ["wb", (process, args) => withFaults(process, () => cpuWriteByte(process, args))],
  ["sysw", readFor(EFAULT, { kernel: true })],
  ["sysr", writeFor(EFAULT, { kernel: true })],
  ["memread", readFor(EIO, { force: true })],
  ["memwrite", writeFor(EIO, { force: true })],
  ...PIN_OPERATIONS,
  // processes
  ["fork", (process, args, world) => ({ ret: retOf(() => world.fork(process, num(args, 0))) })],
  ["exit", (process, _args, world) => ({ ret: retOf(() => world.exit(process)) })],
  ["open", (process, args, world) => ({ ret: retOf(() => world.open(process, num(args, 0), num(args, 1))) })],
  ["close", (process, args, world) => ({ ret: retOf(() => world.closeHandle(process, num(args, 0))) })],
  // accounting
  [
    "swapon",
    (_process, _args, world) => {
      world.hmm.swapOn = true;
      return { ret: 0 };
    },
  ],
  [
    "mthp",
    (_process, args, world) => {
      world.hmm.setHugepages(num(args, 0) * 1024, String(args[1]) as HugepageMode);
      return { ret: 0 };
    },
  ],
  [
    "ksm",
    (_process, _args, world) => {
      const { pagesShared, pagesSharing } = world.hmm.ksmScan(KSM_PASSES);
      return { shared: pagesShared, sharing: pagesSharing };
    },
  ],
  ["uffd", ({ mm }, args) => ({ ret: retOf(() => mm.uffdRegister(page(args, 0), bytes(args, 1))) })],
  ["kpf", ({ mm }, args) => ({ kpf: frameStates(mm, page(args, 0), num(args, 1)) })],
  ["memcg", (_process, _args, world) => ({ current: world.charged })],
  ["smaps", ({ mm }) => ({ smaps: smapsOf(mm) })],
  // the device
  ["dread", command((handle, args) => handle.read(page(args, 1), num(args, 2)))],
  // hmm_range_fault_unlocked_timeout takes the lock itself, as read() does: the answers are the same.
  ["dreadu", command((handle, args) => handle.read(page(args, 1), num(args, 2)))],
  [
    "dfail",
    (process, args) => {
      handleOf(process, num(args, 0)).failNext = true;
      return { ret: 0, cpages: 0, faults: 0 };
    },
  ],
  ["dwrite", command((handle, args) => handle.write(page(args, 1), num(args, 2), num(args, 3)))],
  ["dmig", command((handle, args) => handle.migrateToDevice(page(args, 1), num(args, 2)))],
  ["dsys", command((handle, args) => handle.migrateToSystem(page(args, 1), num(args, 2)))],
  ["dexcl", command((handle, args) => handle.exclusive(page(args, 1), num(args, 2)))],
  ["dchk", command((handle, args) => handle.exclusiveTags.check(page(args, 1), num(args, 2)))],
  ["drel", command((handle) => handle.release())],
  ["dsnap", snapshot],
]);
