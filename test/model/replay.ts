/** Runs operations in the records' form on the reference model. */
import * as calls from "./calls.ts";
import { blockOf } from "./huge.ts";
import { fileOp, mappedBy } from "./replay-files.ts";
import { mremap, mresize } from "./mremap.ts";
import {
  EAGAIN,
  EFAULT,
  EINVAL,
  EIO,
  ENOMEM,
  HUGE_PAGES,
  isZero,
  PAGE,
  Page,
  present,
  R,
  W,
  X,
  hex,
  type Event,
  type Signal,
} from "./page.ts";
import type { Mm } from "./mm.ts";
import { munmap } from "./munmap.ts";
import { pinSet, unpinSet } from "./pins.ts";
import { SHARED } from "./vma.ts";
import type { SizeMode } from "./sized.ts";
import type { World } from "./world.ts";

export type Arg = number | string;

/** The answer of one operation, with the keys of a record. */
export type Answer = Record<string, unknown>;

/** The state of a process, with the keys of a record's `st`. */
export interface ProcessState {
  vma: string[];
  pm: string;
  /** Resident anonymous, file and shared pages, and swapped pages. */
  rss: number[];
  h: Record<string, { snap: string; dpt: string; inv: unknown[][] }>;
  dev: number[];
  /** Pages in use on the coherent devices 2 and 3, if the process has a file of one. */
  coh?: number[];
}

function protOf(text: string): number {
  if (text === "none") return 0;
  return [...text].reduce((p, c) => p | (c === "r" ? R : c === "w" ? W : X), 0);
}

/** Run-length code of bytes: "02*3 ff". */
export function runs(bytes: readonly number[]): string {
  const out: string[] = [];
  for (let i = 0; i < bytes.length;) {
    let n = 1;
    while (i + n < bytes.length && bytes[i + n] === bytes[i]) n++;
    out.push(n > 1 ? `${hex(bytes[i], 2)}*${n}` : hex(bytes[i], 2));
    i += n;
  }
  return out.join(" ");
}

/** Returns what `access` returns for each page in turn. */
const each = <T>(a: number, n: number, access: (pn: number, i: number) => T): T[] =>
  Array.from({ length: n }, (_, i) => access(a + i, i));

const UNTOUCHED = 238;
/** Full scans of ksmd for which the recorder waits. */
const RECORDED_PASSES = 5;

/** Executes `op` of process `pid`. Returns undefined for an unknown operation. */
export function execute(world: World, pid: number, op: string, args: readonly Arg[]): Answer | undefined {
  const num = args.map(Number);
  const device = deviceOp(world, op, num);
  if (device) return device;
  const mm = world.mms.get(pid)!;
  const file = fileOp(world, op, args, num);
  if (file) return file;
  const access = accessOp(mm, op, num);
  if (access) return access;
  const ret = pinOp(mm, op, args, num) ?? callOp(world, mm, pid, op, args, num);
  return ret === undefined ? undefined : { ret };
}

const DEVICE_OPS = new Set("dread dreadu dwrite dmig dsys dsnap drel dexcl dchk dfail".split(" "));

function deviceOp(world: World, op: string, [h, a, n, v]: number[]): Answer | undefined {
  if (!DEVICE_OPS.has(op)) return undefined;
  const { mirror } = world.handles.get(h)!;
  if (op === "dfail") {
    mirror.failNext = true;
    return { ret: 0, cpages: 0, faults: 0 };
  }
  if (op === "drel") return { ret: world.evictAll(h), cpages: 0, faults: 0 };
  if (op === "dread" || op === "dreadu") return { ...mirror.read(a, n) };
  if (op === "dwrite") return { ...mirror.write(a, n, v) };
  if (op === "dmig") return { ...mirror.toDevice(a, n) };
  if (op === "dsys") return { ...mirror.toSystem(a, n) };
  if (op === "dexcl") return { ...mirror.exclusive(a, n) };
  if (op === "dchk") return { ...mirror.check(a, n) };
  const reply = mirror.snapshot(a, n);
  return { ...reply, snap: runs(reply.snap!) };
}

/** Returns the result of a system call's copy for one page. */
function copied(failure: Signal | number | null): number {
  if (failure === null || failure === 0) return PAGE;
  if (failure === "EAGAIN" || failure === -EAGAIN) return -EAGAIN;
  return failure === "OOM" || failure === -ENOMEM ? -ENOMEM : typeof failure === "string" ? -EFAULT : -EIO;
}

function accessOp(mm: Mm, op: string, num: number[]): Answer | undefined {
  const [a, n, v] = num;
  const before = mm.faults;
  const flt = (): number => mm.faults - before;
  switch (op) {
    case "r":
      return { data: each(a, n, (pn) => mm.access(pn, false) ?? mm.content(pn)), flt: flt() };
    case "w":
    case "wb": {
      const sig = each(a, op === "w" ? n : 1, (pn, i) => {
        const signal = mm.access(pn, true);
        if (signal) return signal;
        if (op === "w") mm.writable(pn).set(v + i);
        else mm.writable(pn).setByte(n, v);
        return 0;
      });
      return sig.every((s) => s === 0) ? { ok: 1, flt: flt() } : { ok: 0, sig, flt: flt() };
    }
    case "sysw":
    case "memread": {
      const rets = each(a, n, (pn) =>
        copied(op === "sysw" ? mm.access(pn, false) : mm.getPage(pn, false, true)),
      );
      return { rets, data: rets.map((ret, i) => (ret > 0 ? mm.content(a + i) : UNTOUCHED)) };
    }
    case "sysr":
    case "memwrite":
      return {
        rets: each(a, n, (pn, i) => {
          const ret = copied(op === "sysr" ? mm.access(pn, true) : mm.getPage(pn, true, true));
          if (ret > 0) mm.writable(pn).set(v + i);
          return ret;
        }),
      };
    case "lread":
      if (!mm.longSet) return { ret: -EINVAL };
      return {
        ret: 0,
        data: mm.longSet.slice(0, a).map((page) => (page instanceof Page ? page.content.digest() : 0)),
      };
    case "ksm":
      return { ...mm.world.ksm.scan(num.length > 0 ? a : RECORDED_PASSES) };
    case "mincore": {
      const vec = calls.mincore(mm, a, n);
      return typeof vec === "number" ? { ret: vec } : { ret: 0, vec: runs(vec) };
    }
  }
  return undefined;
}

function pinOp(mm: Mm, op: string, args: readonly Arg[], [a, n, b, m]: number[]): number | undefined {
  switch (op) {
    case "pin":
      return m === 1 ? mm.pinForLong(a, n, b === 1) : mm.pin(a, n, b === 1);
    case "unpin":
      return mm.unpin();
    case "lpin":
      return pinSet(mm, a, n, args[2] === "w");
    case "lunpin":
      unpinSet(mm);
      return 0;
    case "gpin": {
      const before = mm.pinned.length;
      const count = mm.pin(a, n, args[2] === "w");
      mm.unpin(before);
      return count > 0 ? n : 0;
    }
  }
  return undefined;
}

function callOp(
  world: World,
  mm: Mm,
  pid: number,
  op: string,
  args: readonly Arg[],
  num: number[],
): number | undefined {
  const [a, n, b, m] = num;
  switch (op) {
    case "mmap":
      return calls.mmap(mm, a, n, protOf(String(args[2])), mappedBy(world, args), args.at(-1) === "populate");
    case "munmap":
      return munmap(mm, a, n);
    case "mprotect":
      return calls.mprotect(mm, a, n, protOf(String(args[2])));
    case "madv":
      return calls.madvise(mm, a, n, String(args[2]));
    case "mremap":
      return mremap(mm, a, n, b, m, args[4] === "du");
    case "mresize":
      return mresize(mm, a, n, b);
    case "mlock":
      return calls.mlock(mm, a, n);
    case "munlock":
      return calls.munlock(mm, a, n);
    case "msync":
      return calls.msync(mm, a, n);
    case "uffd":
    case "unuffd":
      return calls.uffd(mm, a, n, op === "uffd");
    case "swapon":
    case "swapoff":
      if (op === "swapon" && world.swapSize === 0) return -EINVAL;
      world.swapOn = op === "swapon";
      return 0;
    case "mthp":
      world.sizes.set(a / 4, String(args[1]) as SizeMode);
      return 0;
    case "fork":
      return world.fork(pid, a);
    case "exit":
      return world.exit(pid);
    case "open":
      return world.open(pid, a, n);
    case "close":
      return world.close(pid, a);
  }
  return undefined;
}

const OWNER_NONE = 0;
const OWNER_THIS = 1;
const OWNER_OTHER = 2;

/**
 * Returns the state of a process in the records' form, for the pages [first, end). Takes the collected events
 * of its handles, and shows those that touch these pages, or with `allEvents` all.
 */
export function stateOf(world: World, pid: number, end: number, first = 0, allEvents = false): ProcessState {
  const mm = world.mms.get(pid)!;
  const win = end - first;
  const pm = each(first, win, (pn) => {
    const entry = mm.entries.get(pn);
    if (!entry || entry.raw) return 0;
    if (isZero(entry)) return mm.huge.has(blockOf(pn)) && !world.newer ? 5 : 1;
    if (!entry.page || !present(entry)) return 2;
    // 7.3 looks at the first page of a huge mapping alone.
    const huge = world.newer && mm.huge.has(blockOf(pn));
    const { maps } = huge ? mm.entries.get(blockOf(pn) * HUGE_PAGES)!.page! : entry.page;
    return (maps === 1 ? 9 : 1) | (entry.page.kind === "anon" || entry.page.block ? 0 : 4);
  });
  const h: ProcessState["h"] = {};
  for (const [number, { mirror, opener, holders }] of world.handles) {
    if (opener !== pid || !holders.has(pid)) continue;
    const owner = ([, , , o]: Event): number =>
      o < 0 ? OWNER_NONE : o === mirror.device ? OWNER_THIS : OWNER_OTHER;
    h[number] = {
      snap: runs(mirror.snapshot(first, win).snap!),
      dpt: runs(mirror.shown(first, win)),
      inv: mirror.events
        .filter(([, s, e]) => allEvents || (s < end && e > first))
        .map((e) => [e[0], e[1], e[2], owner(e)]),
    };
    mirror.events = [];
  }
  const coherent = [...world.handles.values()].some(
    ({ mirror, holders }) => mirror.device > 1 && holders.has(pid),
  );
  const letters = (f: number): string =>
    `${f & R ? "r" : "-"}${f & W ? "w" : "-"}${f & X ? "x" : "-"}${f & SHARED ? "s" : "p"}`;
  return {
    vma: mm.vmas.list.map((v) => `${v.start}-${v.end} ${letters(v.flags)}`),
    pm: runs(pm),
    rss: [mm.rss.anon, mm.rss.file, mm.rss.shmem, mm.rss.swap],
    h,
    dev: world.used.slice(1, 3),
    ...(coherent ? { coh: world.used.slice(3) } : {}),
  };
}
