import { EOPNOTSUPP } from "../../assembly/uapi/errno.ts";
import { HDR_KSM_SHARED, HDR_KSM_SHARING } from "../../assembly/abi/header.ts";
import type { Context } from "../engine/context.ts";
import { checkInteger, HmmError } from "../engine/errors.ts";
import type { AddressSpace } from "../engine/registry.ts";
import { run } from "../engine/request.ts";

/** What KSM has merged, under the names of /sys/kernel/mm/ksm. */
export interface KsmCounts {
  /** Merged pages (pages_shared). */
  pagesShared: number;
  /**
   * Addresses that map a merged page, less one for each merged page (pages_sharing): the pages that merging
   * saves.
   */
  pagesSharing: number;
}

/** @internal Hmm.ksmScan. */
export function ksmScan(ctx: Context, passes: number): KsmCounts {
  const op = "hmm.ksmScan";
  checkInteger(op, "passes", passes, 0, 2 ** 31 - 1);
  const { mem, settings } = ctx;
  if (settings.backing === "metadata")
    throw new HmmError(EOPNOTSUPP, op, 'frames have no bytes with backing "metadata"');
  ctx.demandNoInvalidation(op);
  const held: AddressSpace[] = [];
  let answer: number;
  try {
    for (const mm of ctx.mms.values()) {
      mm.mmapSem.enterRead(op);
      held.push(mm);
    }
    answer = run(ctx, ctx.core.ksmScan(passes));
  } finally {
    for (const mm of held) mm.mmapSem.leaveRead(op);
  }
  ctx.finish(op, answer);
  return { pagesShared: mem.header(HDR_KSM_SHARED), pagesSharing: mem.header(HDR_KSM_SHARING) };
}
