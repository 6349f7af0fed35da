import { EAGAIN, EBUSY, EINVAL, EPERM } from "../../assembly/uapi/errno.ts";
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
import type { Context } from "../engine/context.ts";
import { badType, checkOptions, checkPageAddress } from "../engine/errors.ts";
import { inspect, line, span } from "../engine/inspect.ts";
import type { HmmPfnFlags } from "../engine/protocol.ts";
import { run } from "../engine/request.ts";
import { checkPfns, pfnAddress, withPfns } from "../page/arrays.ts";
import type { Mm } from "../space/mm.ts";
import { Vma } from "../space/vma.ts";
import { protocolAnswer } from "./range-fault.ts";

/** Walks that an invalidation from within may restart before hmmVmaFault answers -EBUSY. */
const WALKS = 8;

/**
 * A range of the 2018 calls (`struct hmm_range`). The engine tracks it between a successful hmmVmaGetPfns or
 * hmmVmaFault and hmmVmaRangeDone: an invalidation that overlaps it makes it invalid and sets the overlapped
 * slots to 0. Any number of ranges may be tracked, and one object is tracked once at a time.
 */
export class HmmRange {
  /** The first byte of the last call. */
  start = 0;
  /** The end of the last call, exclusive. */
  end = 0;
  /** The slots of the last call. */
  pfns: Uint32Array | null = null;
  /** Whether nothing has changed since. */
  valid = false;
  /**
   * The owner whose device pages are reported instead of faulted back. undefined: every owner's, as in 2018.
   * Set it where an mm has several devices.
   */
  owner: unknown;
  /** @internal The mm that tracks it. */
  mm: Mm | null = null;

  /** @param options.owner see {@link owner}. Throws TypeError for bad options. */
  constructor(options: { owner?: unknown } = {}) {
    checkOptions("new HmmRange", "options", options);
    this.owner = options.owner;
  }

  /** Whether the range is tracked: hmmVmaRangeDone is due. */
  get tracked(): boolean {
    return this.mm !== null;
  }

  /** @internal */
  [inspect](): string {
    return line("HmmRange", !this.tracked && "not tracked", () => [
      `mm ${this.mm!.id}`,
      span(this.start, this.end),
      this.valid ? "valid" : "invalid",
    ]);
  }

  /** @internal See TrackedRange: [start, end) is invalidated. */
  invalidate(start: number, end: number): void {
    if (end <= this.start || start >= this.end) return;
    this.valid = false;
    if (this.pfns === null) return;
    const from = Math.floor((Math.max(start, this.start) - this.start) / PAGE_SIZE);
    const to = Math.ceil((Math.min(end, this.end) - this.start) / PAGE_SIZE);
    this.pfns.fill(0, from, to);
  }

  /** @internal See TrackedRange. */
  mmClosed(): void {
    this.mm = null;
  }
}

/**
 * Makes the checks that both calls share. Returns 0, or the negative errno that ends the call.
 */
function prepare(
  op: string,
  vma: Vma | null,
  range: HmmRange,
  start: number,
  end: number,
  pfns: Uint32Array,
): number {
  if (!(range instanceof HmmRange)) throw badType(op, "range", "a HmmRange", range);
  if (range.mm !== null)
    throw new TypeError(`${op}: the range is tracked already; hmmVmaRangeDone ends that`);
  checkPageAddress(op, "start", start);
  checkPageAddress(op, "end", end);
  const npages = end > start ? (end - start) / PAGE_SIZE : 0;
  checkPfns(op, "pfns", pfns, npages);
  if (vma === null || vma === undefined) return -EINVAL;
  if (!(vma instanceof Vma)) throw badType(op, "vma", "a Vma", vma);
  const { mm } = vma.check(op);
  mm.check(op);
  mm.mmapSem.demand(op, false);
  if (npages > 0 && mm.mirrored && vma.serves(start, end)) return 0;
  return refuse(vma, start, end, pfns, npages);
}

/** Why HMM does not serve a range, in the kernel's order of checks. Returns a negative errno. */
function refuse(vma: Vma, start: number, end: number, pfns: Uint32Array, npages: number): number {
  if (npages === 0 || !vma.contains(start, end)) return -EINVAL;
  if (vma.special) {
    pfns.fill(HMM_PFN_ERROR, 0, npages);
    return -EINVAL;
  }
  if (!vma.mm.mirrored) return -EINVAL;
  pfns.fill(0, 0, npages);
  return -EPERM;
}

/** One walk over the CPU's page table. */
interface Walk {
  ctx: Context;
  mm: Mm;
  start: number;
  end: number;
  owner: number;
  /** HMM_PFN_REQ_*: what is requested for every slot. */
  flags: HmmPfnFlags;
}

/**
 * Makes a call whose arguments are checked. The range is tracked from before the walk on; what was
 * invalidated meanwhile is read again. An open migration is EAGAIN if the call may block, else -EBUSY.
 */
function call(
  op: string,
  mm: Mm,
  range: HmmRange,
  start: number,
  end: number,
  pfns: Uint32Array,
  flags: HmmPfnFlags,
  block: boolean,
): number {
  const { ctx } = mm;
  const owner = range.owner === undefined ? OWNER_ANY : ctx.ownerNumber(range.owner);
  range.start = start;
  range.end = end;
  range.pfns = pfns;
  range.mm = mm;
  mm.ranges.push(range);
  let answer = -EBUSY;
  try {
    for (let i = 0; i < WALKS && answer === -EBUSY; i++) {
      range.valid = true;
      ctx.mem.setF64(HEADER + HDR_FAULT_ADDR, -1);
      const address = pfnAddress(ctx, pfns);
      answer =
        address === 0
          ? withPfns(ctx, op, pfns, (end - start) / PAGE_SIZE, "inout", walkAt, {
              ctx,
              mm,
              start,
              end,
              owner,
              flags,
            })
          : run(ctx, ctx.core.hmmRangeFault(mm.id, start, end, address, flags, 0, owner, 0, 0));
      if (answer === 0 && !range.valid) answer = -EBUSY;
    }
    if (answer < 0 && answer !== -EAGAIN && answer !== -EBUSY)
      markFailure(op, pfns, { ctx, mm, start, end, owner, flags });
  } finally {
    if (answer !== 0) untrack(mm, range);
  }
  try {
    return protocolAnswer(op, ctx, answer === -EAGAIN && !block ? -EBUSY : answer);
  } catch (error) {
    // A callback has thrown, so the caller does not learn that the range is tracked: it must not be.
    if (range.tracked) untrack(mm, range);
    throw error;
  }
}

function untrack(mm: Mm, range: HmmRange): void {
  range.mm = null;
  const { ranges } = mm;
  const last = ranges.pop()!;
  if (last !== range) ranges[ranges.lastIndexOf(range)] = last;
}

function walkAt(address: number, { ctx, mm, start, end, flags, owner }: Walk): number {
  return run(ctx, ctx.core.hmmRangeFault(mm.id, start, end, address, flags, 0, owner, 0, 0));
}

/** Marks the failing slot as ERROR, and clears the slots after it. */
function markFailure(op: string, pfns: Uint32Array, walk: Walk): void {
  const { ctx, start, end } = walk;
  let failed = ctx.mem.headerF64(HDR_FAULT_ADDR);
  if (!(failed >= start && failed < end)) failed = start + firstLacking(op, walk) * PAGE_SIZE;
  const index = Math.floor((failed - start) / PAGE_SIZE);
  pfns[index] = HMM_PFN_ERROR;
  pfns.fill(0, index + 1, npagesOf(walk));
}

/** The first slot whose page lacks what the call needs. */
function firstLacking(op: string, walk: Walk): number {
  const { ctx, flags } = walk;
  const npages = npagesOf(walk);
  const needed = (flags & HMM_PFN_REQ_WRITE) !== 0 ? HMM_PFN_WRITE : HMM_PFN_VALID;
  return ctx.withScratch(op, 4 * npages, (address) => {
    if (walkAt(address, { ...walk, flags: 0 }) !== 0) return 0;
    const index = ctx.mem.wordsAt(address, npages).findIndex((word) => (word & needed) === 0);
    return Math.max(index, 0);
  });
}

const npagesOf = ({ start, end }: Walk): number => (end - start) / PAGE_SIZE;

/**
 * Fills the slots of [start, end) with what the CPU's page table says, and faults nothing in
 * (hmm_vma_get_pfns). A slot is 0 where nothing is present (also swapped out or migrating), else VALID |
 * page, with WRITE where the CPU may write. Pages of device memory are reported like others, with WRITE as
 * their entry has it. mmapSem must be held, until hmmVmaRangeDone.
 *
 * Returns 0: the range is tracked now, and hmmVmaRangeDone is due; -EINVAL: no mapping, start…end not inside
 * it, no registered mirror, or a special mapping (every slot is ERROR then: the words have no bit for
 * SPECIAL); -EPERM: the mapping has no VM_READ (every slot is 0). Throws RangeError (unaligned, pfns too
 * short) and TypeError (stale vma, range tracked already, lock not held) before anything happens.
 */
export function hmmVmaGetPfns(
  vma: Vma | null,
  range: HmmRange,
  start: number,
  end: number,
  pfns: Uint32Array,
): number {
  const op = "hmmVmaGetPfns";
  const refused = prepare(op, vma, range, start, end, pfns);
  return refused === 0 ? call(op, vma!.mm, range, start, end, pfns, 0, true) : refused;
}

/**
 * Fills slots as {@link hmmVmaGetPfns} does, but faults every page in first, for writing if `write`
 * (hmm_vma_fault). Device pages of the range's owner stay where they are.
 *
 * Returns also -EBUSY: try again from mm.findVma on, because what was read changed meanwhile or, with `block`
 * false, because a page is in an open migration; -EFAULT, -EPERM (write, and the mapping is read-only),
 * -ENOMEM: the failing slot is ERROR, the slots after it are 0, and the range is not tracked. With `block`
 * true an open migration throws HmmError EAGAIN: a synchronous call cannot wait for it.
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
  const refused = prepare(op, vma, range, start, end, pfns);
  return refused === 0 ? call(op, vma!.mm, range, start, end, pfns, flags, block) : refused;
}

/**
 * Ends the tracking of a range, and returns whether its slots are still true (hmm_vma_range_done). Call it
 * with the lock held that the mirror's update takes, before the device's page table is written. mmapSem must
 * be held. Throws TypeError if the range is not tracked (called twice, or the call before had failed).
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
