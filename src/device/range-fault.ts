import { EAGAIN, EBUSY, EFAULT, EINVAL, ENOMEM, EPERM } from "../../assembly/uapi/errno.ts";
import { HDR_FAULT_ADDR } from "../../assembly/abi/header.ts";
import type { Context } from "../engine/context.ts";
import { badType, checkAddress, checkOptions, checkPageRange, checkWord } from "../engine/errors.ts";
import type { HmmPfnFlags } from "../engine/protocol.ts";
import { run } from "../engine/request.ts";
import { checkPfns, withPfns } from "../page/arrays.ts";
import { checkMm, type Mm } from "../space/mm.ts";
import { MmuIntervalNotifier } from "./notifier.ts";

/** What the protocol's calls return; other errnos are thrown. */
const RETURNED = [0, -EBUSY, -EFAULT, -EINVAL, -EPERM, -ENOMEM];

/**
 * @internal Ends a call of the protocol. Returns an answer that the protocol defines; throws HmmError for any
 * other.
 */
export function protocolAnswer(op: string, ctx: Context, answer: number): number {
  if (answer !== 0 && !RETURNED.includes(answer))
    return ctx.finish(op, answer, {
      address: answer === -EAGAIN ? ctx.mem.headerF64(HDR_FAULT_ADDR) : undefined,
    });
  ctx.settle();
  return answer;
}

/** What {@link hmmRangeFault} takes (today's `struct hmm_range`). */
export interface HmmRangeFaultArgs {
  /**
   * The subscription that covers the range. The call answers -EBUSY if it was invalidated since notifierSeq.
   */
  notifier?: MmuIntervalNotifier | undefined;
  /** What notifier.readBegin() returned; needed with a notifier. */
  notifierSeq?: number | undefined;
  /** The address space; needed without a notifier. */
  mm?: Mm | undefined;
  /** The first byte, a page address. */
  start: number;
  /** The end, exclusive, a page address. */
  end: number;
  /**
   * A slot for each page. In: REQ_FAULT and REQ_WRITE, where pfnFlagsMask lets them through. Out: hmm_pfn
   * words.
   */
  pfns: Uint32Array;
  /** HMM_PFN_REQ_* bits that are requested for every slot. Default 0: nothing is faulted in. */
  defaultFlags?: HmmPfnFlags | undefined;
  /** The bits of the slots that count as requests. Default 0. */
  pfnFlagsMask?: HmmPfnFlags | undefined;
  /** Whose device pages stay where they are and are reported (dev_private_owner). Default: no owner's. */
  owner?: unknown;
}

/** What one call works on. */
interface Call {
  args: HmmRangeFaultArgs;
  ctx: Context;
  mm: Mm;
}

function checkFaultArgs(op: string, args: HmmRangeFaultArgs): Call & { npages: number } {
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
  if (notifier !== undefined) checkWord(op, "notifierSeq", args.notifierSeq);
  const npages = checkPageRange(op, args.start, args.end);
  checkAddress(op, "start", args.start);
  checkPfns(op, "pfns", args.pfns, npages);
  const { defaultFlags = 0, pfnFlagsMask = 0 } = args;
  checkWord(op, "defaultFlags", defaultFlags);
  checkWord(op, "pfnFlagsMask", pfnFlagsMask);
  mm!.mmapSem.demand(op, false);
  return { args, ctx, mm: mm!, npages };
}

function rangeFault(op: string, args: HmmRangeFaultArgs): { ctx: Context; answer: number } {
  const call = checkFaultArgs(op, args);
  const { ctx, npages } = call;
  return { ctx, answer: withPfns(ctx, op, args.pfns, npages, "inout", faultAt, call) };
}

function faultAt(address: number, { args, ctx, mm }: Call): number {
  const { start, end, notifier, notifierSeq = 0, defaultFlags = 0, pfnFlagsMask = 0 } = args;
  const owner = ctx.ownerNumber(args.owner);
  const id = notifier?.notifier ?? 0;
  return run(
    ctx,
    ctx.core.hmmRangeFault(mm.id, start, end, address, defaultFlags, pfnFlagsMask, owner, id, notifierSeq),
  );
}

/**
 * Fills the slots of [start, end), and faults in what is requested (hmm_range_fault). The range may cover
 * several mappings and holes; the slots of holes are ERROR, and the call answers -EFAULT where one is
 * requested. mmapSem must be held. Check `notifier.readRetry(notifierSeq)` under the driver's own lock before
 * using the slots.
 *
 * A page of the owner's device memory is reported as the CPU's entry has it: read-only, without WRITE, even
 * where REQ_WRITE was requested and the call answers 0, for example after a fork. Migrate such a page to
 * system memory and ask again.
 *
 * Returns 0, -EBUSY (invalidated since notifierSeq: start again from readBegin), -EFAULT, -EPERM, -ENOMEM.
 * Throws HmmError EAGAIN when a requested page is in an open migration ({@link hmmRangeFaultAsync} waits),
 * and RangeError or TypeError before anything happens.
 */
export function hmmRangeFault(args: HmmRangeFaultArgs): number {
  const op = "hmmRangeFault";
  const { ctx, answer } = rangeFault(op, args);
  return protocolAnswer(op, ctx, answer);
}

/**
 * Fills slots as {@link hmmRangeFault} does, but waits for the end of open migrations instead of throwing
 * EAGAIN. mmapSem must be held until the promise settles.
 */
export async function hmmRangeFaultAsync(args: HmmRangeFaultArgs): Promise<number> {
  const op = "hmmRangeFaultAsync";
  for (;;) {
    const { ctx, answer } = rangeFault(op, args);
    const migration = answer === -EAGAIN ? ctx.metMigration() : undefined;
    if (migration === undefined) return protocolAnswer(op, ctx, answer);
    ctx.settle();
    await migration.ended;
  }
}
