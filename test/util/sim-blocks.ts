/** Blocks of records for tests of simulations. */
import { writeRecord, type Access } from "../../src/sim/record.ts";

export const PAGE = 4096;
/** Where the tests' data begin. */
export const BASE = 0x5000000;

/** A block of accesses of 8 bytes; by default loads of the CPU. */
export function blockOf(accesses: readonly Partial<Access>[]): BigUint64Array {
  const records = new BigUint64Array(2 * accesses.length);
  accesses.forEach((access, i) => writeRecord(records, i, { kind: "load", size: 8, ...access }));
  return records;
}

/** One access to each of some pages from BASE on. */
export function pages(from: number, count: number, access: Partial<Access> = {}): Partial<Access>[] {
  return Array.from({ length: count }, (_, i) => ({ address: BASE + (from + i) * PAGE, ...access }));
}
