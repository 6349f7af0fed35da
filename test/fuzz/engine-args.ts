/** What the operations on the engine share: their arguments, and what a call's outcome is to a process. */
import { EINVAL, HmmError, PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE } from "../../src/index.ts";
import { ARENA, type EngineSide, type Process } from "./engine-side.ts";
import type { Answer } from "./plan.ts";

export type Args = (number | string)[];
export type Perform = (process: Process, args: Args, side: EngineSide) => Answer;

export const num = (args: Args, i: number): number => Number(args[i]);
export const page = (args: Args, i: number): number => ARENA + num(args, i) * PAGE_SIZE;
export const bytes = (args: Args, i: number): number => num(args, i) * PAGE_SIZE;

export function protOf(text: string | number): number {
  const bits: Readonly<Record<string, number>> = { r: PROT_READ, w: PROT_WRITE, x: PROT_EXEC };
  return text === "none" ? 0 : [...String(text)].reduce((prot, letter) => prot | bits[letter], 0);
}

/** 0, or the negative errno that `call` fails with. What the API refuses beforehand is EINVAL to a kernel. */
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
