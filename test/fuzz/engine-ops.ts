/** The engine's side of the operations, by name. */
import {
  EFAULT,
  EIO,
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_DOFORK,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_KEEPONFORK,
  MADV_MERGEABLE,
  MADV_NOHUGEPAGE,
  MADV_NORMAL,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_RANDOM,
  MADV_REMOVE,
  MADV_SEQUENTIAL,
  MADV_UNMERGEABLE,
  MADV_WILLNEED,
  MADV_WIPEONFORK,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PAGE_SIZE,
  type AccessOptions,
  type HugepageMode,
} from "../../src/index.ts";
import { encodeBytes, patternPages, UNTOUCHED } from "../golden/codec.ts";
import { bytes, ERRNOS, num, page, protOf, retOf, signalOf, type Args, type Perform } from "./engine-args.ts";
import { FILE_OPERATIONS } from "./engine-files.ts";
import { LEGACY_OPERATIONS } from "./engine-legacy.ts";
import type { Handle } from "./handle.ts";
import type { Reply } from "./reply.ts";
import { digest, digests, type Answer } from "./plan.ts";

const ADVICE: Readonly<Record<string, number>> = {
  dontneed: MADV_DONTNEED,
  free: MADV_FREE,
  cold: MADV_COLD,
  willneed: MADV_WILLNEED,
  remove: MADV_REMOVE,
  populate_read: MADV_POPULATE_READ,
  populate_write: MADV_POPULATE_WRITE,
  dontfork: MADV_DONTFORK,
  dofork: MADV_DOFORK,
  wipeonfork: MADV_WIPEONFORK,
  keeponfork: MADV_KEEPONFORK,
  pageout: MADV_PAGEOUT,
  mergeable: MADV_MERGEABLE,
  unmergeable: MADV_UNMERGEABLE,
  normal: MADV_NORMAL,
  random: MADV_RANDOM,
  sequential: MADV_SEQUENTIAL,
  hugepage: MADV_HUGEPAGE,
  nohugepage: MADV_NOHUGEPAGE,
  collapse: MADV_COLLAPSE,
};

function each<T>(args: Args, access: (address: number, i: number) => T): T[] {
  return Array.from({ length: num(args, 1) }, (_, i) => access(page(args, 0) + i * PAGE_SIZE, i));
}

/** Adds the page faults that the process takes during `body`. */
function counted(body: Perform): Perform {
  return (process, args, side) => {
    const before = process.mm.faults.total;
    const answer = body(process, args, side);
    return { ...answer, flt: process.mm.faults.total - before };
  };
}

const written = (sig: (number | string)[]): Answer =>
  sig.every((signal) => signal === 0) ? { ok: 1 } : { ok: 0, sig };

const read: Perform = ({ mm }, args) => ({
  data: each(args, (address) => {
    const buffer = new Uint8Array(PAGE_SIZE);
    const { signal } = signalOf(() => mm.read(address, buffer));
    return signal === 0 ? digest(buffer) : signal;
  }),
});

const write: Perform = ({ mm }, args) =>
  written(each(args, (at, i) => signalOf(() => mm.write(at, patternPages(1, num(args, 2) + i))).signal));

const writeByte: Perform = ({ mm }, args) =>
  written([signalOf(() => mm.write(page(args, 0) + num(args, 1), Uint8Array.of(num(args, 2)))).signal]);

const loadWord: Perform = ({ mm }, args) => {
  let word = 0;
  const { signal } = signalOf(() => (word = mm.load32(page(args, 0) + num(args, 1))));
  return { data: [signal === 0 ? word : signal] };
};

const storeWord: Perform = ({ mm }, args) =>
  written([signalOf(() => mm.store32(page(args, 0) + num(args, 1), num(args, 2))).signal]);

/** One access that may cross pages: address page, offset, length. */
const readSpan: Perform = ({ mm }, args) => {
  const buffer = new Uint8Array(num(args, 2)).fill(UNTOUCHED);
  const { signal, done } = signalOf(() => mm.read(page(args, 0) + num(args, 1), buffer));
  return { sig: signal, done: signal === 0 ? buffer.length : done, data: digest(buffer) };
};

const writeSpan: Perform = ({ mm }, args) => {
  const buffer = new Uint8Array(num(args, 2)).fill(num(args, 3));
  const { signal, done } = signalOf(() => mm.write(page(args, 0) + num(args, 1), buffer));
  return { sig: signal, done: signal === 0 ? buffer.length : done };
};

/** Returns PAGE_SIZE or the negative errno of the system call that makes the access. */
function copied(errno: number, access: () => unknown): number {
  const { signal } = signalOf(access);
  return signal === 0 ? PAGE_SIZE : -(ERRNOS.get(String(signal)) ?? errno);
}

function readFor(errno: number, options: AccessOptions): Perform {
  return ({ mm }, args) => {
    const data: (number | string)[] = [];
    const rets = each(args, (address) => {
      const buffer = new Uint8Array(PAGE_SIZE).fill(UNTOUCHED);
      const ret = copied(errno, () => mm.read(address, buffer, options));
      data.push(digest(buffer));
      return ret;
    });
    return { rets, data };
  };
}

function writeFor(errno: number, options: AccessOptions): Perform {
  return ({ mm }, args) => ({
    rets: each(args, (address, i) =>
      copied(errno, () => mm.write(address, patternPages(1, num(args, 2) + i), options)),
    ),
  });
}

const mremap: Perform = ({ mm }, args) => {
  const flags = MREMAP_MAYMOVE | MREMAP_FIXED | (args[4] === "du" ? MREMAP_DONTUNMAP : 0);
  return { ret: retOf(() => mm.mremap(page(args, 0), bytes(args, 1), bytes(args, 3), flags, page(args, 2))) };
};

const mincore: Perform = ({ mm }, args) => {
  let vec = new Uint8Array(0);
  const ret = retOf(() => (vec = mm.mincore(page(args, 0), bytes(args, 1)) as typeof vec));
  return ret === 0 ? { ret, vec: encodeBytes(vec) } : { ret };
};

const pin: Perform = (process, args) => {
  let pinned = 0;
  const ret = retOf(() => {
    const pages = process.mm.pin(page(args, 0), num(args, 1), {
      write: args[2] === 1,
      longTerm: args[3] === 1,
    });
    process.pins.push(pages);
    pinned = pages.npages;
  });
  return { ret: ret === 0 ? pinned : ret };
};

const unpin: Perform = (process) => {
  const ret = process.pins.reduce((sum, { npages }) => sum + npages, 0);
  for (const pages of process.pins) pages.close();
  process.pins = [];
  return { ret };
};

/** A device command: handle, page, pages. */
function command(run: (handle: Handle, args: Args) => Reply): Perform {
  return ({ handles }, args) => {
    const { bytes: content, ...reply } = run(handles.get(num(args, 0))!, args);
    return content === undefined ? { ...reply } : { ...reply, data: digests(content) };
  };
}

/** One half of a migration. */
function half(run: (handle: Handle, args: Args) => number): Perform {
  return ({ handles }, args) => ({ ret: run(handles.get(num(args, 0))!, args) });
}

const snapshot: Perform = ({ handles }, args) => {
  const { ret, cpages, bytes: seen } = handles.get(num(args, 0))!.snapshot(page(args, 1), num(args, 2));
  return { ret, cpages, faults: 0, snap: encodeBytes(seen) };
};

const release: Perform = ({ handles }, args) => {
  handles.get(num(args, 0))!.device.evict();
  return { ret: 0, cpages: 0, faults: 0 };
};

export const OPERATIONS: ReadonlyMap<string, Perform> = new Map<string, Perform>([
  ...FILE_OPERATIONS,
  ["munmap", ({ mm }, args) => ({ ret: retOf(() => mm.munmap(page(args, 0), bytes(args, 1))) })],
  [
    "mprotect",
    ({ mm }, args) => ({ ret: retOf(() => mm.mprotect(page(args, 0), bytes(args, 1), protOf(args[2]))) }),
  ],
  [
    "madv",
    ({ mm }, args) => ({ ret: retOf(() => mm.madvise(page(args, 0), bytes(args, 1), ADVICE[args[2]])) }),
  ],
  ["mremap", mremap],
  [
    "mresize",
    ({ mm }, args) => ({ ret: retOf(() => mm.mremap(page(args, 0), bytes(args, 1), bytes(args, 2))) }),
  ],
  ["mlock", ({ mm }, args) => ({ ret: retOf(() => mm.mlock(page(args, 0), bytes(args, 1))) })],
  ["munlock", ({ mm }, args) => ({ ret: retOf(() => mm.munlock(page(args, 0), bytes(args, 1))) })],
  ["mincore", mincore],
  ["msync", ({ mm }, args) => ({ ret: retOf(() => mm.msync(page(args, 0), bytes(args, 1))) })],
  ["uffd", ({ mm }, args) => ({ ret: retOf(() => mm.uffdRegister(page(args, 0), bytes(args, 1))) })],
  ["unuffd", ({ mm }, args) => ({ ret: retOf(() => mm.uffdUnregister(page(args, 0), bytes(args, 1))) })],
  ["swapon", (_process, _args, { hmm }) => ({ ret: retOf(() => (hmm.swapOn = true)) })],
  ["swapoff", (_process, _args, { hmm }) => ({ ret: retOf(() => (hmm.swapOn = false)) })],
  [
    "ksm",
    (_process, args, { hmm }) => {
      const { pagesShared, pagesSharing } = hmm.ksmScan(num(args, 0));
      return { shared: pagesShared, sharing: pagesSharing };
    },
  ],
  [
    "mthp",
    (_process, args, { hmm }) => ({
      ret: retOf(() => hmm.setHugepages(num(args, 0) * 1024, String(args[1]) as HugepageMode)),
    }),
  ],
  ["limit", (_process, args, { memcg }) => ({ ret: retOf(() => (memcg.limit = num(args, 0))) })],
  ["r", counted(read)],
  ["w", counted(write)],
  ["wb", counted(writeByte)],
  ["lw", counted(loadWord)],
  ["sw", counted(storeWord)],
  ["rr", counted(readSpan)],
  ["ww", counted(writeSpan)],
  ["sysw", readFor(EFAULT, { kernel: true })],
  ["sysr", writeFor(EFAULT, { kernel: true })],
  ["memread", readFor(EIO, { force: true })],
  ["memwrite", writeFor(EIO, { force: true })],
  ["pin", pin],
  ["unpin", unpin],
  ["fork", (process, args, side) => ({ ret: retOf(() => side.fork(process, num(args, 0))) })],
  ["exit", (process, _args, side) => ({ ret: retOf(() => side.exit(side.pidOf(process))) })],
  ["open", (process, args, side) => ({ ret: retOf(() => side.open(process, num(args, 0), num(args, 1))) })],
  ["close", (process, args, side) => ({ ret: retOf(() => side.closeHandle(process, num(args, 0))) })],
  ["dread", command((handle, args) => handle.read(page(args, 1), num(args, 2)))],
  ["dwrite", command((handle, args) => handle.write(page(args, 1), num(args, 2), num(args, 3)))],
  ["dmig", command((handle, args) => handle.toDevice(page(args, 1), num(args, 2)))],
  ["dsys", command((handle, args) => handle.toSystem(page(args, 1), num(args, 2)))],
  ["dexcl", command((handle, args) => handle.exclusive(page(args, 1), num(args, 2)))],
  ["dchk", command((handle, args) => handle.lent.check(page(args, 1), num(args, 2)))],
  ["dsnap", snapshot],
  [
    "dpeer",
    ({ handles }, args, side) => {
      const handle = handles.get(num(args, 0))!;
      return { ...handle.fromPeer(page(args, 1), num(args, 2), side.peerOf(handle.device)) };
    },
  ],
  ...LEGACY_OPERATIONS,
  ["drel", release],
  ["reboot", (_process, _args, side) => ({ ret: retOf(() => side.reboot()) })],
  ["mbeg", half((handle, args) => handle.begin(page(args, 1), num(args, 2), false))],
  ["sbeg", half((handle, args) => handle.begin(page(args, 1), num(args, 2), true))],
  ["ebeg", half((handle) => handle.beginEvict())],
  ["mend", half((handle) => handle.end())],
]);
