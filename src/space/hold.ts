/** How system calls hold mmapSem: they take the lock, wait for it, or run under their caller's guard. */
import { checkOptions } from "../engine/errors.ts";
import { run } from "../engine/request.ts";
import type { MmapGuard } from "./sem.ts";
import type { Space } from "./space.ts";

/** What every call that changes mappings takes. */
export interface SemOption {
  /** A guard of the mm's mmapSem, held for write: the call runs under it, and leaves it to the caller. */
  sem?: MmapGuard | undefined;
}

/** How an operation holds mmapSem: it takes the lock for read or write, or its caller holds it for write. */
export type Hold = "read" | "write" | MmapGuard;

function enter(space: Space, op: string, how: Hold): void {
  if (how === "read") {
    space.mmapSem.enterRead(op);
    return;
  }
  space.ctx.demandNoInvalidation(op);
  if (how === "write") space.mmapSem.enterWrite(op);
  else space.mmapSem.enterLent(op, how);
}

function leave(space: Space, op: string, how: Hold): void {
  if (how === "read") space.mmapSem.leaveRead(op);
  else if (how === "write") space.mmapSem.leaveWrite();
  else space.mmapSem.leaveLent();
}

/**
 * @internal Runs a core operation while mmapSem is held. `done` runs before anything else can happen, if the
 * operation succeeded; `why` says what was wrong with the arguments, if it failed.
 */
export function hold(
  space: Space,
  op: string,
  how: Hold,
  call: () => number,
  done?: (answer: number) => void,
  why?: (errno: number) => string | undefined,
): number {
  const { ctx } = space;
  let answer: number;
  enter(space, op, how);
  try {
    answer = run(ctx, call());
    if (answer >= 0) done?.(answer);
  } finally {
    leave(space, op, how);
  }
  if (answer < 0 && why !== undefined) ctx.abort(ctx.error(op, -answer, why(-answer)));
  return ctx.finish(op, answer);
}

/**
 * @internal Returns how a call that changes mappings holds mmapSem. Throws TypeError unless options are an
 * object.
 */
export function holdOf(op: string, options: SemOption): Hold {
  checkOptions(op, "options", options);
  return options.sem ?? "write";
}

/**
 * @internal Runs `call` when mmapSem is free, under a guard that holds it for write. Rejects with what `call`
 * throws.
 */
export async function whenFree<T>(space: Space, op: string, call: (sem: MmapGuard) => T): Promise<T> {
  space.check(op);
  const guard = await space.mmapSem.writeAsync(op);
  try {
    return call(guard);
  } finally {
    guard.close();
  }
}
