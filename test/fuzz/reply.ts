/** What commands of the fuzzer's driver answer. */
import { EAGAIN, HmmError, type Migration } from "../../src/index.ts";
import { moves, unitPages } from "./device.ts";

/** What a device command answers; `bytes` is the buffer of one that succeeded. */
export interface Reply {
  ret: number;
  cpages: number;
  faults: number;
  bytes?: Uint8Array;
}

/** What a call returns, or the negative errno of an open migration that is in its way. */
export function answerOf(call: () => number): number {
  try {
    return call();
  } catch (error) {
    if (error instanceof HmmError && error.errno === EAGAIN) return -EAGAIN;
    throw error;
  }
}

/** Pages that have moved, holes aside. */
export const moved = ({ src }: Migration): number =>
  src.reduce((sum, word) => sum + (moves(word) ? unitPages(word) : 0), 0);

export const failure = (ret: number): Reply => ({ ret, cpages: 0, faults: 0 });
