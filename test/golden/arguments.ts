/** Arguments of the operations, and the outcome of a call as a process sees it. */
import {
  EAGAIN,
  EINVAL,
  FAULT_ACCERR,
  FAULT_MAPERR,
  FAULT_SIGBUS,
  HmmError,
  PAGE_SIZE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../../src/index.ts";
import type { Process } from "./process.ts";
import { ARENA, type Answer } from "./records.ts";
import type { EngineWorld } from "./world.ts";

const SIGNALS = new Map([
  [FAULT_MAPERR, "SIGSEGV/1"],
  [FAULT_ACCERR, "SIGSEGV/2"],
  [FAULT_SIGBUS, "SIGBUS/2"],
]);

export type Arguments = (number | string)[];
export type Perform = (process: Process, args: Arguments, world: EngineWorld) => Answer;

export function num(args: Arguments, index: number): number {
  const value = args.at(index);
  if (typeof value !== "number") throw new Error(`argument ${index} is not a number: ${value}`);
  return value;
}

/** Returns the address of the page that an argument names. */
export function page(args: Arguments, index: number): number {
  return ARENA + num(args, index) * PAGE_SIZE;
}

export function bytes(args: Arguments, index: number): number {
  return num(args, index) * PAGE_SIZE;
}

export function protOf(text: string | number): number {
  const bits: Readonly<Record<string, number>> = { r: PROT_READ, w: PROT_WRITE, x: PROT_EXEC };
  return text === "none" ? 0 : [...String(text)].reduce((prot, letter) => prot | bits[letter], 0);
}

/** Returns 0 or the negative errno of `call`. What the API refuses itself is EINVAL in a kernel. */
export function retOf(call: () => unknown): number {
  try {
    call();
    return 0;
  } catch (error) {
    if (error instanceof HmmError && error.errno !== EAGAIN) return -error.errno;
    if (error instanceof RangeError) return -EINVAL;
    throw error;
  }
}

/** Returns the signal that ends a CPU access, or 0. */
export function signalOf(access: () => unknown): number | string {
  try {
    access();
    return 0;
  } catch (error) {
    const signal = error instanceof HmmError ? SIGNALS.get(error.faultCode ?? 0) : undefined;
    if (signal === undefined) throw error;
    return signal;
  }
}
