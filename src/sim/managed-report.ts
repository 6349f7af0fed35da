/** What the report of managed memory has beside counts: transfers by size, and several orders of warps. */
import type { Machine } from "./driver/machine.ts";
import type { Cause } from "./driver/transfers.ts";
import type { Direction } from "./paging-counts.ts";
import { managedCounts } from "./managed-books.ts";
import type { ManagedReport, Spread, TransferReport } from "./report.ts";

function transfersOf({ transfers: { counts } }: Machine): TransferReport[] {
  return Object.entries(counts).flatMap(([direction, byCause]) =>
    Object.entries(byCause)
      .filter(([, { count }]) => count > 0)
      .map(([cause, { count, bytes, sizes }]) => ({
        direction: direction as Direction,
        cause: cause as Cause,
        count,
        bytes,
        // The keys of an object that are numbers are in their order.
        sizes: Object.entries(sizes).map(([kib, count]) => ({ bytes: Number(kib) * 1024, count })),
      })),
  );
}

/** The least, the median (of an even number the lower one of two) and the most of some numbers. */
function spreadOf(values: number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return { least: sorted[0], median: sorted[(sorted.length - 1) >> 1], most: sorted[sorted.length - 1] };
}

/** Returns the report of a machine, and of others that ran other orders of its warps. */
export function managedReport(machine: Machine, others: readonly Machine[]): ManagedReport {
  const all = [machine, ...others].map((one) => {
    const { cpuFaults, devicePages, evictions } = one.counts;
    return { cpuFaults, devicePages, evictions, ...managedCounts(one) };
  });
  const keys = Object.keys(all[0]) as (keyof (typeof all)[0])[];
  const spread = Object.fromEntries(keys.map((key) => [key, spreadOf(all.map((one) => one[key]))]));
  return { transfers: transfersOf(machine), schedules: all.length, spread };
}
