/** Writing records, for sources of a user's own. */
import {
  RECORD_AGENT_SHIFT,
  RECORD_ID_SHIFT,
  RECORD_RUN,
  RECORD_SIZE_MAX,
  RECORD_SIZE_SHIFT,
  RECORD_THREAD_SHIFT,
} from "../../assembly/abi/record.ts";
import { ADDRESS_END } from "./address-range.ts";
import { KIND } from "./workload/nest.ts";

/** Kinds of records that sources may write. */
const KINDS = { ...KIND, instructions: RECORD_RUN } as const;

/** An access, a run of instructions, or a mark where a kernel begins or ends. */
export interface Access {
  /**
   * What it does; a modify is a load, then a store. `instructions` are as many as `size` says: they take time
   * by models that have one for instructions.
   */
  kind: keyof typeof KINDS;
  /** Its first byte, below 2^48. Default: 0, for marks. */
  address?: number | undefined;
  /** Bytes, 0 to 65,535. Default: 0, for marks. */
  size?: number | undefined;
  /** 0: the CPU; n: device n − 1, up to 255. Default: 0. */
  agent?: number | undefined;
  /** Up to 65,535. Default: 0. */
  thread?: number | undefined;
  /** The low half of the instruction's address; of a mark, the kernel's number in `kernels`. Default: 0. */
  id?: number | undefined;
}

/** Throws RangeError unless a field is an integer from 0 to `most`. */
function check(field: string, value: number, most: number): bigint {
  if (!Number.isSafeInteger(value) || value < 0 || value > most)
    throw new RangeError(`writeRecord: ${field} must be an integer from 0 to ${most}, got ${value}`);
  return BigInt(value);
}

/**
 * Writes a record of two words into `records`, at record number `index`. Throws RangeError for a field that
 * does not fit, and for an index beyond the array.
 */
export function writeRecord(records: BigUint64Array, index: number, access: Access): void {
  const { kind, address = 0, size = 0, agent = 0, thread = 0, id = 0 } = access;
  if (!Object.hasOwn(KINDS, kind))
    throw new RangeError(`writeRecord: kind must be ${Object.keys(KINDS).join(", ")}`);
  check("index", index, records.length / 2 - 1);
  records[2 * index] =
    check("address", address, ADDRESS_END - 1) |
    (check("size", size, RECORD_SIZE_MAX) << BigInt(RECORD_SIZE_SHIFT));
  records[2 * index + 1] =
    BigInt(KINDS[kind]) |
    (check("agent", agent, 0xff) << BigInt(RECORD_AGENT_SHIFT)) |
    (check("thread", thread, 0xffff) << BigInt(RECORD_THREAD_SHIFT)) |
    (check("id", id, 0xffffffff) << BigInt(RECORD_ID_SHIFT));
}
