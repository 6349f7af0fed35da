/**
 * Keeps both sides of a comparison on one processor. Other work on the machine or its host disturbs one
 * processor more than another for seconds or minutes; with two processors only one side would suffer. Node
 * has no call for this, so the module runs Linux's `taskset` if it is installed.
 */
import { spawnSync } from "node:child_process";

/**
 * Sets the processors of the main thread (-cp) or of all threads (-acp). Child processes inherit the main
 * thread's.
 */
function setProcessors(list: string, options = "-cp"): void {
  taskset(options, list, String(process.pid));
}

function taskset(...args: string[]): string | null {
  const { status, stdout } = spawnSync("taskset", args, { encoding: "utf8" });
  return status === 0 ? stdout : null;
}

/** The processors that this process may use, in taskset's form ("0,1", "0-7"). Null without taskset. */
const allowed = taskset("-cp", String(process.pid))?.match(/: ([\d,-]+)$/m)?.[1] ?? null;

/**
 * The processor that rows are measured on: the last, since the first one usually serves interrupts. Null:
 * unknown.
 */
export const processor: string | null = allowed?.split(/[,-]/).at(-1) ?? null;

/**
 * Keeps the main thread and the programs that it starts later on `processor`. V8's own threads may run
 * anywhere.
 */
export function useOneProcessor(): void {
  if (processor !== null) setProcessors(processor);
}

/** Lets all threads run on every allowed processor again. */
export function useAllProcessors(): void {
  if (allowed !== null) setProcessors(allowed, "-acp");
}
