import type { Mm, Pin } from "../../src/index.ts";
import type { GoldenHandle } from "./driver.ts";

/** A process: an address space, open device files, pinned pages. */
export interface Process {
  readonly pid: number;
  readonly mm: Mm;
  /** Device files by number, including files inherited from a parent. */
  readonly handles: Map<number, GoldenHandle>;
  /** Numbers of the device files that the process itself opened. */
  readonly opened: Set<number>;
  pins: Pin[];
  /** The pages that are pinned for long. */
  longPin?: Pin | undefined;
}

/** Returns the open device file with this number. */
export function handleOf(process: Process, number: number): GoldenHandle {
  const handle = process.handles.get(number);
  if (handle === undefined) throw new Error(`process ${process.pid} has no handle ${number}`);
  return handle;
}
