/** Records that cannot be replayed. */
import type { HmmError } from "../index.ts";
import type { Settings } from "./config.ts";

/** Thrown for an access that cannot be made: memory is too small, or its agent is none of the devices. */
export class SimulationError extends Error {
  override readonly name = "SimulationError";
  /** The record's index in the block that feed() got. */
  readonly record: number;

  constructor(record: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.record = record;
  }
}

/** Returns what to throw for a record whose access met ENOMEM. */
export function outOfMemory(record: number, error: HmmError, settings: Settings): SimulationError {
  const { address, detail } = error;
  const { systemMemory, deviceMemory, placement } = settings;
  const where = address === undefined ? "" : ` at 0x${address.toString(16)}`;
  const what = detail.replace(/, at 0x.*/, "");
  if (what === "device memory") {
    const needed = `with placement ${placement} all arrays that the device uses must fit`;
    const message = `deviceMemory ${deviceMemory / 1024}KiB is too small for this trace: ${needed}`;
    return new SimulationError(record, message, error);
  }
  if (what !== "system memory" && what !== "")
    return new SimulationError(record, `the engine has run out of ${what}${where}`, error);
  const why = address === undefined ? "no page is left" : `no page is left for 0x${address.toString(16)}`;
  const message = `systemMemory ${systemMemory / 1024}KiB is too small for this trace: ${why}`;
  return new SimulationError(record, message, error);
}
