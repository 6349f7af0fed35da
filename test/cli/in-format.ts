/** What is left of records in a format that `heteromem convert` writes. */
import type { PlainRecord } from "../text/reference.ts";

/** The formats that convert writes besides .hmt. */
export const PLAIN = [
  "lackey",
  "nvbit",
  "drmemtrace",
  "perf-script",
  "pinatrace",
  "dinero",
  "addr-rw",
  "champsim",
];
/** What formats keep besides addresses and kinds. */
const WITH_SIZE = ["lackey", "drmemtrace"];
const WITH_CODE = ["drmemtrace", "perf-script", "pinatrace", "champsim"];
const WITH_THREAD = ["nvbit", "drmemtrace", "perf-script"];
const WITH_MODIFY = ["lackey", "nvbit"];

/** The largest size that NVBit's instructions have and that is no larger. */
const nvbitSize = (size: number): number => [16, 8, 4, 2, 1].find((one) => one <= size)!;

/** What is left of records in a format. */
export function inFormat(format: string, records: readonly PlainRecord[]): PlainRecord[] {
  // A reader numbers threads as they appear.
  const threads = new Map<number, number>();
  const numberOf = (thread: number): number => {
    if (!threads.has(thread)) threads.set(thread, threads.size);
    return threads.get(thread)!;
  };
  return records.flatMap((record) => {
    const kind = record.kind & 3;
    if (kind === 3) return []; // fetches give no record
    const { address } = record;
    const size = format === "nvbit" ? nvbitSize(record.size) : WITH_SIZE.includes(format) ? record.size : 1;
    const id = WITH_CODE.includes(format) ? record.id : 0;
    const thread = WITH_THREAD.includes(format) ? numberOf(record.thread) : 0;
    const kinds = kind === 2 && !WITH_MODIFY.includes(format) ? [0, 1] : [kind];
    return kinds.map((one) => ({ address, size, kind: one, agent: Number(format === "nvbit"), thread, id }));
  });
}
