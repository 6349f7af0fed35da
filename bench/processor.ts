/**
 * Both sides of a comparison on one processor. Whatever else runs on a machine, or on its host, disturbs one processor more
 * than another, for seconds or minutes: on two, it is one side that is disturbed. Node has no call for this; Linux's
 * `taskset` has, where it is installed.
 */
import { spawnSync } from "node:child_process";

/** Sets the processors of this process's main thread, or of all its threads; programs started later get the main thread's. */
function setProcessors(list: string, options = "-cp"): void {
  taskset(options, list, String(process.pid));
}

function taskset(...args: string[]): string | null {
  const { status, stdout } = spawnSync("taskset", args, { encoding: "utf8" });
  return status === 0 ? stdout : null;
}

/** The processors that this process may use, as taskset writes them ("0,1", "0-7"); null without taskset. */
const allowed = taskset("-cp", String(process.pid))?.match(/: ([\d,-]+)$/m)?.[1] ?? null;

/** The one that rows are measured on: the last, as the first one mostly serves the devices. Null: not known. */
export const processor: string | null = allowed?.split(/[,-]/).at(-1) ?? null;

/** From here on the main thread, and the programs that it starts, stay on `processor`. V8's threads go where they like. */
export function useOneProcessor(): void {
  if (processor !== null) setProcessors(processor);
}

/** All threads may run everywhere again. */
export function useAllProcessors(): void {
  if (allowed !== null) setProcessors(allowed, "-acp");
}
