/** Arguments of the operations on the engine, and the outcome of a call as a process sees it. */
import {
  EAGAIN,
  EFAULT,
  EINVAL,
  ENOMEM,
  FAULT_ACCERR,
  FAULT_MAPERR,
  FAULT_MIGRATION,
  FAULT_OOM,
  FAULT_SIGBUS,
  HmmError,
  PAGE_SIZE,
} from "../../src/index.ts";
import { ARENA, type EngineSide, type Process } from "./engine-side.ts";
import type { Answer } from "./plan.ts";

export { protOf } from "../golden/arguments.ts";

export type Args = (number | string)[];
export type Perform = (process: Process, args: Args, side: EngineSide) => Answer;

export const num = (args: Args, i: number): number => Number(args[i]);
export const page = (args: Args, i: number): number => ARENA + num(args, i) * PAGE_SIZE;
export const bytes = (args: Args, i: number): number => num(args, i) * PAGE_SIZE;

/** Returns 0 or the negative errno of `call`. What the API refuses itself is EINVAL in a kernel. */
export function retOf(call: () => unknown): number {
  try {
    call();
    return 0;
  } catch (error) {
    if (error instanceof HmmError) return -error.errno;
    if (error instanceof RangeError) return -EINVAL;
    throw error;
  }
}

const SIGNALS = new Map([
  [FAULT_MAPERR, "SIGSEGV/1"],
  [FAULT_ACCERR, "SIGSEGV/2"],
  [FAULT_SIGBUS, "SIGBUS/2"],
  [FAULT_OOM, "OOM"],
  [FAULT_MIGRATION, "EAGAIN"],
]);

/** Errno values of errors that are no signal to a process. */
export const ERRNOS = new Map([
  ["OOM", ENOMEM],
  ["EAGAIN", EAGAIN],
]);

/** Returns the outcome of an access: 0 or a signal, and the bytes done before. */
export function signalOf(access: () => unknown): { signal: number | string; done: number } {
  try {
    access();
    return { signal: 0, done: -1 };
  } catch (error) {
    if (!(error instanceof HmmError)) throw error;
    const signal = SIGNALS.get(error.faultCode ?? 0);
    if (signal === undefined || error.errno !== (ERRNOS.get(signal) ?? EFAULT)) throw error;
    return { signal, done: error.done ?? -1 };
  }
}
