/** The answers of the fuzzer's driver. */
import { EAGAIN, HmmError, type Migration } from "../../src/index.ts";
import { moves, unitPages } from "./device.ts";

/** The answer of a device command; `bytes` is the buffer of a successful command. */
export interface Reply {
  ret: number;
  cpages: number;
  faults: number;
  bytes?: Uint8Array;
}

/** Returns the result of a call, or -EAGAIN if an open migration blocks it. */
export function answerOf(call: () => number): number {
  try {
    return call();
  } catch (error) {
    if (error instanceof HmmError && error.errno === EAGAIN) return -EAGAIN;
    throw error;
  }
}

/** Returns the number of moved pages, without holes. */
export const moved = ({ src }: Migration): number =>
  src.reduce((sum, word) => sum + (moves(word) ? unitPages(word) : 0), 0);

export const failure = (ret: number): Reply => ({ ret, cpages: 0, faults: 0 });
