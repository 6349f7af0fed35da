/** The heap of the command's process. */
import { setFlagsFromString } from "node:v8";
import { isMainThread } from "node:worker_threads";

/**
 * Keeps the heap of V8 as small in a long run as in a short one. A simulation keeps few objects and makes
 * many that live for one fault. V8 would double its young generation from time to time, up to 32 MiB, and
 * let garbage in the old one grow to three times what is alive; neither makes a run faster. Does nothing in
 * a thread of another program, whose heaps are its own affair.
 */
export function keepHeapSmall(): void {
  if (!isMainThread) return;
  setFlagsFromString("--semi-space-growth-factor=1");
  setFlagsFromString("--heap-growing-percent=10");
}
