import { EAGAIN, EBUSY, EFAULT, EINVAL, ENOMEM, EPERM } from "../../assembly/uapi/errno.ts";
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import {
  HMM_PFN_ERROR,
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  HMM_PFN_VALID,
  HMM_PFN_WRITE,
} from "../../assembly/uapi/pfn.ts";
import { OWNER_ANY } from "../../assembly/abi/argument.ts";
import { HDR_FAULT_ADDR, HEADER } from "../../assembly/abi/header.ts";
import { VM_READ } from "../../assembly/uapi/vm.ts";
import type { Context } from "../engine/context.ts";
import {
  badType,
  checkAddress,
  checkOptions,
  checkPageAddress,
  checkPageRange,
  checkU32,
} from "../engine/errors.ts";
import { checkMm, type Mm } from "../space/mm.ts";
import { Vma } from "../space/vma.ts";
import { MmuIntervalNotifier } from "./notifier.ts";
import { checkPfns, withPfns } from "./pages.ts";

/** Walks that an invalidation from within may restart before hmmVmaFault answers -EBUSY. */
const WALKS = 8;

/**
 * A tracked snapshot of the 2018 calls (`struct hmm_range`): between a successful hmmVmaGetPfns or hmmVmaFault and
 * hmmVmaRangeDone the engine knows of it, and an invalidation that overlaps it makes it invalid and sets the
 * overlapped slots to 0. Any number of ranges may be tracked; one object is tracked once at a time.
 */
export class HmmRange {
  /** First byte of the last call. */
  start = 0;
  /** End, exclusive. */
  end = 0;
  /** The slots of the last call. */
  pfns: Uint32Array | null = null;
  /** Whether nothing changed since. */
  valid = false;
  /** Whose device pages count as one's own; undefined: anybody's, as in 2018. Set it where an mm has several devices. */
  owner: unknown;
  /** @internal The mm that tracks it. */
  mm: Mm | null = null;

  constructor(options: { owner?: unknown } = {}) {
    checkOptions("new HmmRange", "options", options);
    this.owner = options.owner;
  }

  /** Whether hmmVmaRangeDone is due. */
  get tracked(): boolean {
    return this.mm !== null;
  }

  /** @internal An invalidation of [start, end), half open like the range. */
  invalidate(start: number, end: number): void {
    if (end <= this.start || start >= this.end) return;
    this.valid = false;
    if (this.pfns === null) return;
    const from = Math.floor((Math.max(start, this.start) - this.start) / PAGE_SIZE);
    const to = Math.ceil((Math.min(end, this.end) - this.start) / PAGE_SIZE);
    this.pfns.fill(0, from, to);
  }
}

/** What one 2018 call works on. */
interface Call {
  op: string;
  ctx: Context;
  mm: Mm;
  range: HmmRange;
  start: number;
  end: number;
  pfns: Uint32Array;
  npages: number;
  owner: number;
  flags: number;
}

/** The checks both calls share, in the kernel's order. A negative errno ends the call. */
function prepare(
  op: string,
  vma: Vma | null,
  range: HmmRange,
  start: number,
  end: number,
  pfns: Uint32Array,
  flags: number,
): Call | number {
  if (!(range instanceof HmmRange)) throw badType(op, "range", "a HmmRange", range);
  if (range.tracked) throw new TypeError(`${op}: the range is tracked already; hmmVmaRangeDone ends that`);
  checkPageAddress(op, "start", start);
  checkPageAddress(op, "end", end);
  const npages = Math.max(0, (end - start) / PAGE_SIZE);
  checkPfns(op, "pfns", pfns, npages);
  if (vma === null || vma === undefined) return -EINVAL;
  if (!(vma instanceof Vma)) throw badType(op, "vma", "a Vma", vma);
  const ctx = vma.check(op).mm.check(op);
  const { mm } = vma;
  mm.mmapSem.demand(op, false);
  if (start < vma.start || start >= vma.end || end <= start || end > vma.end) return -EINVAL;
  if (vma.special) {
    pfns.fill(HMM_PFN_ERROR, 0, npages);
    return -EINVAL;
  }
  if (!mm.mirrored) return -EINVAL;
  if ((vma.flags & VM_READ) === 0) {
    pfns.fill(0, 0, npages);
    return -EPERM;
  }
  const owner = range.owner === undefined ? OWNER_ANY : ctx.ownerNumber(range.owner);
  range.start = start;
  range.end = end;
  range.pfns = pfns;
  return { op, ctx, mm, range, start, end, pfns, npages, owner, flags };
}

/** Tracks the range from before the walk on; walks again when what it read was invalidated meanwhile. */
function walk(call: Call): number {
  const { mm, range } = call;
  range.mm = mm;
  mm.ranges.push(range);
  let answer = -EBUSY;
  try {
    for (let i = 0; i < WALKS && answer === -EBUSY; i++) {
      range.valid = true;
      answer = walkOnce(call);
      if (answer === 0 && !range.valid) answer = -EBUSY;
    }
    if (answer < 0 && answer !== -EAGAIN && answer !== -EBUSY) markFailure(call);
  } finally {
    if (answer !== 0) untrack(mm, range);
  }
  return answer;
}

function untrack(mm: Mm, range: HmmRange): void {
  range.mm = null;
  const at = mm.ranges.lastIndexOf(range);
  const last = mm.ranges.pop()!;
  if (last !== range) mm.ranges[at] = last;
}

function walkOnce(call: Call): number {
  const { op, ctx, pfns, npages } = call;
  ctx.mem.setF64(HEADER + HDR_FAULT_ADDR, -1);
  return withPfns(ctx, op, pfns, npages, "inout", walkAt, call);
}

function walkAt(address: number, { ctx, mm, start, end, flags, owner }: Call): number {
  return ctx.run(ctx.core.hmmRangeFault(mm.id, start, end, address, flags, 0, owner, 0, 0));
}

/** The failing slot keeps ERROR, what comes after it is 0. */
function markFailure(call: Call): void {
  const { ctx, start, end, pfns, npages } = call;
  let failed = ctx.mem.headerF64(HDR_FAULT_ADDR);
  if (!(failed >= start && failed < end)) failed = start + firstLacking(call) * PAGE_SIZE;
  const index = Math.floor((failed - start) / PAGE_SIZE);
  pfns[index] = HMM_PFN_ERROR;
  pfns.fill(0, index + 1, npages);
}

function firstLacking(call: Call): number {
  const { op, ctx, mm, start, end, npages, owner, flags } = call;
  const needed = (flags & HMM_PFN_REQ_WRITE) !== 0 ? HMM_PFN_WRITE : HMM_PFN_VALID;
  return ctx.withScratch(op, 4 * npages, (address) => {
    if (ctx.core.hmmRangeFault(mm.id, start, end, address, 0, 0, owner, 0, 0) !== 0) return 0;
    const index = ctx.mem.wordsAt(address, npages).findIndex((word) => (word & needed) === 0);
    return Math.max(index, 0);
  });
}

/**
 * hmm_vma_get_pfns: what the CPU's table says of [start, end), without faulting anything in. Slots: 0 nothing (also
 * swapped out or migrating), else VALID | page, WRITE where the CPU may write; the pages of device memory are reported
 * like others, WRITE as their entry has it.
 *
 * Returns 0: the range is tracked now and hmmVmaRangeDone is due; -EINVAL: no mapping, start…end not inside it, no
 * registered mirror, or a special mapping (every slot is ERROR then: the words have no bit for SPECIAL); -EPERM: the
 * mapping has no VM_READ (every slot is 0). mmapSem must be held, until hmmVmaRangeDone. Throws RangeError (unaligned,
 * pfns too short) and TypeError (stale vma, range tracked already, lock not held) before anything happens.
 */
export function hmmVmaGetPfns(
  vma: Vma | null,
  range: HmmRange,
  start: number,
  end: number,
  pfns: Uint32Array,
): number {
  const call = prepare("hmmVmaGetPfns", vma, range, start, end, pfns, 0);
  if (typeof call === "number") return call;
  return protocolAnswer(call, walk(call), true);
}

/**
 * hmm_vma_fault: as {@link hmmVmaGetPfns}, but every page is faulted in first, for writing if `write`. Device pages of
 * the range's owner stay where they are.
 *
 * Returns also -EBUSY: try again from mm.findVma on (what was read changed meanwhile, or, with `block` false, a page
 * is in an open migration); -EFAULT, -EPERM (write, and the mapping is read-only), -ENOMEM: the failing slot is ERROR,
 * the slots after it are 0, and the range is not tracked. With `block` true an open migration throws HmmError EAGAIN:
 * a synchronous call cannot wait for it.
 */
export function hmmVmaFault(
  vma: Vma | null,
  range: HmmRange,
  start: number,
  end: number,
  pfns: Uint32Array,
  write: boolean,
  block: boolean,
): number {
  const op = "hmmVmaFault";
  if (typeof write !== "boolean") throw badType(op, "write", "a boolean", write);
  if (typeof block !== "boolean") throw badType(op, "block", "a boolean", block);
  const flags = (write ? HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE : HMM_PFN_REQ_FAULT) >>> 0;
  const call = prepare(op, vma, range, start, end, pfns, flags);
  if (typeof call === "number") return call;
  return protocolAnswer(call, walk(call), block);
}

const RETURNED = [0, -EBUSY, -EFAULT, -EINVAL, -EPERM, -ENOMEM];

/** What the protocol returns; the rest is thrown. Ends the API call. */
function protocolAnswer(
  { op, mm, range }: { op: string; mm: Mm; range?: HmmRange },
  answer: number,
  block: boolean,
): number {
  const { ctx } = mm;
  if (answer === -EAGAIN && !block) answer = -EBUSY;
  if (answer !== 0 && !RETURNED.includes(answer))
    return ctx.finish(op, answer, {
      address: answer === -EAGAIN ? ctx.mem.headerF64(HDR_FAULT_ADDR) : undefined,
    });
  try {
    ctx.settle();
  } catch (error) {
    // A callback has thrown: the caller does not learn that a range is tracked, so none is.
    if (range?.tracked === true) untrack(mm, range);
    throw error;
  }
  return answer;
}

/**
 * hmm_vma_range_done: ends the tracking, and tells whether the snapshot is still true. Call it with the lock held that
 * the mirror's update takes, before the device's table is written. mmapSem must be held. Throws TypeError if the range
 * is not tracked (called twice, or the call before had failed).
 */
export function hmmVmaRangeDone(vma: Vma | null, range: HmmRange): boolean {
  const op = "hmmVmaRangeDone";
  if (!(range instanceof HmmRange)) throw badType(op, "range", "a HmmRange", range);
  if (vma !== null && !(vma instanceof Vma)) throw badType(op, "vma", "a Vma", vma);
  const { mm } = range;
  if (mm === null) throw new TypeError(`${op}: the range is not tracked`);
  if (vma !== null && vma.mm !== mm) throw new TypeError(`${op}: the range is of another mm than vma`);
  mm.mmapSem.demand(op, false);
  untrack(mm, range);
  return range.valid;
}

/** What {@link hmmRangeFault} takes: the modern `struct hmm_range`. */
export interface HmmRangeFaultArgs {
  /** The subscription that covers the range; -EBUSY if it was invalidated since notifierSeq. */
  notifier?: MmuIntervalNotifier;
  /** What notifier.readBegin() returned. */
  notifierSeq?: number;
  /** The address space, where no notifier says it. */
  mm?: Mm;
  /** First byte, a page address. */
  start: number;
  /** End, exclusive, a page address. */
  end: number;
  /** A slot a page: in, REQ_FAULT and REQ_WRITE where pfnFlagsMask lets them through; out, hmm_pfn words. */
  pfns: Uint32Array;
  /** HMM_PFN_REQ_* for every slot. Default 0: a snapshot. */
  defaultFlags?: number;
  /** Which bits of the slots count as requests. Default 0. */
  pfnFlagsMask?: number;
  /** Whose device pages stay where they are and are reported (dev_private_owner). Default: nobody's. */
  owner?: unknown;
}

/** What one modern call works on. */
type FaultCall = { args: HmmRangeFaultArgs; ctx: Context; mm: Mm; npages: number };

function checkFaultArgs(op: string, args: HmmRangeFaultArgs): FaultCall {
  checkOptions(op, "args", args);
  const { notifier } = args;
  if (notifier !== undefined && !(notifier instanceof MmuIntervalNotifier)) {
    throw badType(op, "notifier", "a MmuIntervalNotifier", notifier);
  }
  const mm = notifier?.mm ?? args.mm;
  notifier?.check(op);
  if (args.mm !== undefined) checkMm(op, args.mm);
  const ctx = checkMm(op, mm);
  if (args.mm !== undefined && args.mm !== mm)
    throw new TypeError(`${op}: mm must be the notifier's: it is another mm`);
  if (notifier !== undefined) checkU32(op, "notifierSeq", args.notifierSeq);
  const npages = checkPageRange(op, args.start, args.end);
  checkAddress(op, "start", args.start);
  checkPfns(op, "pfns", args.pfns, npages);
  const { defaultFlags = 0, pfnFlagsMask = 0 } = args;
  checkU32(op, "defaultFlags", defaultFlags);
  checkU32(op, "pfnFlagsMask", pfnFlagsMask);
  mm!.mmapSem.demand(op, false);
  return { args, ctx, mm: mm!, npages };
}

function rangeFault(op: string, args: HmmRangeFaultArgs): { ctx: Context; mm: Mm; answer: number } {
  const call = checkFaultArgs(op, args);
  const { ctx, mm, npages } = call;
  return { ctx, mm, answer: withPfns(ctx, op, args.pfns, npages, "inout", faultAt, call) };
}

function faultAt(address: number, { args, ctx, mm }: FaultCall): number {
  const { start, end, notifier, notifierSeq = 0, defaultFlags = 0, pfnFlagsMask = 0 } = args;
  const owner = ctx.ownerNumber(args.owner);
  const id = notifier?.notifier ?? 0;
  return ctx.run(
    ctx.core.hmmRangeFault(mm.id, start, end, address, defaultFlags, pfnFlagsMask, owner, id, notifierSeq),
  );
}

/**
 * hmm_range_fault: fills the slots of [start, end), faulting in what is requested. The range may cover several
 * mappings and holes (ERROR; -EFAULT where requested). mmapSem must be held, and `notifier.readRetry(notifierSeq)`
 * checked under the driver's own lock before the slots are used.
 *
 * Returns 0, -EBUSY (invalidated since notifierSeq: start again from readBegin), -EFAULT, -EPERM, -ENOMEM. Throws
 * HmmError EAGAIN when a requested page is in an open migration ({@link hmmRangeFaultAsync} waits), and RangeError or
 * TypeError before anything happens.
 */
export function hmmRangeFault(args: HmmRangeFaultArgs): number {
  const op = "hmmRangeFault";
  const { mm, answer } = rangeFault(op, args);
  return protocolAnswer({ op, mm }, answer, true);
}

/** As {@link hmmRangeFault}, but waits for the end of open migrations. mmapSem must be held until it settles. */
export async function hmmRangeFaultAsync(args: HmmRangeFaultArgs): Promise<number> {
  const op = "hmmRangeFaultAsync";
  for (;;) {
    const { ctx, mm, answer } = rangeFault(op, args);
    const migration = answer === -EAGAIN ? ctx.metMigration() : undefined;
    if (migration === undefined) return protocolAnswer({ op, mm }, answer, true);
    ctx.settle();
    await migration.ended;
  }
}
