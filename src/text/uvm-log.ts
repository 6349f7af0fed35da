/**
 * Reads the NVIDIA driver's log of page faults, as uvm-eval's changed driver prints it to the kernel's log:
 * what a real GPU did, to compare a simulation with. It is no trace, since a fault hides all accesses to its
 * page.
 *
 *   4,34763351536,2567418458442,-;s,
 *   4,34763351537,2567418458447,-;f,7fb144000000,1606348764141810176,0,1,2,1,0,0,0,127,1,0,1,63
 *
 * Before the semicolon stands what /dev/kmsg says of a line: level, number, time, flags. After it stands the
 * event: `s` a batch begins, `f` a fault, `b` the batch ends, `p` a prefetch, `e` an eviction.
 */

/** A fault that the driver fetched. */
export interface LoggedFault {
  /** The address that was accessed. */
  address: bigint;
  /** The GPU's time in nanoseconds. */
  time: bigint;
  /**
   * The driver's numbers for the type of the fault and of the access (uvm_fault_type_t,
   * uvm_fault_access_type_t).
   */
  type: number;
  access: number;
  /** The access types of all faults that were merged into this one, a bit each. */
  mask: number;
  /** How many faults were merged into this one. */
  instances: number;
  /** The fields after these, of which the driver's version decides. */
  rest: string[];
}

/** A prefetch or an eviction: its fields as they are logged. */
export interface LoggedMove {
  /** The log's time in microseconds. */
  time: bigint;
  fields: string[];
}

/** The faults that the driver fetched and served together. */
export interface LoggedBatch {
  /** The log's times in microseconds; `end` is null if the log ends before the batch. */
  start: bigint;
  end: bigint | null;
  faults: LoggedFault[];
  prefetches: LoggedMove[];
  evictions: LoggedMove[];
}

export interface FaultLog {
  batches: LoggedBatch[];
  /** What is logged between batches. */
  outside: { faults: LoggedFault[]; prefetches: LoggedMove[]; evictions: LoggedMove[] };
  /** Lines of the kernel about something else. */
  skipped: number;
}

/** A line of a log or table that cannot be read. */
export class LogError extends Error {
  override readonly name = "LogError";
  /** The line's number, counted from 1. */
  readonly line: number;

  constructor(line: number, reason: string) {
    super(`line ${line}: ${reason}`);
    this.line = line;
  }
}

const KMSG = /^\d+,\d+,(\d+),[^;]*;(.*)$/;
const EVENT = /^([sfbpe]),(.*)$/;
const NUMBER = /^\d{1,15}$/;

/** A fault's fields: address, time, type, access, mask, instances, and others. */
function readFault(line: number, fields: readonly string[]): LoggedFault {
  const [address, time, ...others] = fields;
  const [type, access, mask, instances] = others;
  const numbers = [type, access, mask, instances];
  if (!/^[0-9a-f]{1,16}$/i.test(address) || !/^\d{1,20}$/.test(time ?? ""))
    throw new LogError(line, `expected an address and a time in the fault '${fields.join(",")}'`);
  if (!numbers.every((field) => field !== undefined && NUMBER.test(field)))
    throw new LogError(line, `expected type, access, mask and instances in the fault '${fields.join(",")}'`);
  return {
    address: BigInt(`0x${address}`),
    time: BigInt(time),
    type: Number(type),
    access: Number(access),
    mask: Number(mask),
    instances: Number(instances),
    rest: others.slice(4).filter((field) => field !== ""),
  };
}

/**
 * Reads a whole log. Lines that are none of the driver's events are counted. Throws LogError for a fault that
 * has not its fields, and for an end of a batch that has not begun.
 */
export function readFaultLog(text: string): FaultLog {
  const log: FaultLog = {
    batches: [],
    outside: { faults: [], prefetches: [], evictions: [] },
    skipped: 0,
  };
  let open: LoggedBatch | null = null;
  for (const [index, line] of text.split("\n").entries()) {
    const [, time, message] = KMSG.exec(line.trimEnd()) ?? [];
    const [, kind, content] = message === undefined ? [] : (EVENT.exec(message) ?? []);
    if (kind === undefined) {
      if (line.trim() !== "") log.skipped++;
      continue;
    }
    const fields = content.split(",");
    const place: FaultLog["outside"] = open ?? log.outside;
    if (kind === "s") {
      open = { start: BigInt(time), end: null, faults: [], prefetches: [], evictions: [] };
      log.batches.push(open);
    } else if (kind === "b") {
      if (open === null) throw new LogError(index + 1, "a batch ends that has not begun");
      open.end = BigInt(time);
      open = null;
    } else if (kind === "f") place.faults.push(readFault(index + 1, fields));
    else (kind === "p" ? place.prefetches : place.evictions).push({ time: BigInt(time), fields });
  }
  return log;
}
