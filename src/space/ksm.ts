import { EOPNOTSUPP } from "../../assembly/uapi/errno.ts";
import { HDR_KSM_SHARED, HDR_KSM_SHARING } from "../../assembly/abi/header.ts";
import type { Context } from "../engine/context.ts";
import { checkInteger, HmmError } from "../engine/errors.ts";
import type { Mm } from "./mm.ts";

/** What KSM has merged, as /sys/kernel/mm/ksm shows it. */
export interface KsmCounts {
  /** pages_shared: merged pages. */
  pagesShared: number;
  /** pages_sharing: addresses that have one of them, less one for each: what merging saves. */
  pagesSharing: number;
}

/** @internal hmm.ksmScan. */
export function ksmScan(ctx: Context, passes: number): KsmCounts {
  const op = "hmm.ksmScan";
  checkInteger(op, "passes", passes, 0, 2 ** 31 - 1);
  const { mem, settings } = ctx;
  if (settings.backing === "metadata")
    throw new HmmError(EOPNOTSUPP, op, 'frames have no bytes with backing "metadata"');
  ctx.demandNoInvalidation(op);
  const held: Mm[] = [];
  let answer: number;
  try {
    for (const mm of ctx.mms.values()) {
      mm.mmapSem.enterRead(op);
      held.push(mm);
    }
    answer = ctx.run(ctx.core.ksmScan(passes));
  } finally {
    for (const mm of held) mm.mmapSem.leaveRead(op);
  }
  ctx.finish(op, answer);
  return { pagesShared: mem.header(HDR_KSM_SHARED), pagesSharing: mem.header(HDR_KSM_SHARING) };
}
