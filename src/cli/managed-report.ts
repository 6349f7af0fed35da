/** The text of what only managed memory reports. */
import type { ManagedCounts, ManagedReport } from "../sim.ts";
import { row } from "./report-rows.ts";
import { bytes, count, percent, plural } from "./words.ts";

const DIRECTIONS = { toDevice: "to the device", toHost: "to RAM", peer: "between devices" } as const;
/** Counts whose spread the text shows; --json has all. */
const SPREAD = ["groups", "transfersToDevice", "bytesToDevice", "transfersToHost", "bytesToHost"] as const;

function faults({ groups, entries, duplicates, throttles, pins, thrashed }: ManagedCounts): string[] {
  const waited = `${plural(throttles, "fault")} had to wait, ${plural(pins, "fault")} pinned a page`;
  return [
    "Driver",
    row("fault groups", groups, `${plural(entries, "fault")}, ${plural(duplicates, "duplicate")} among them`),
    row("thrashing pages", thrashed, thrashed === 0 ? "" : waited),
  ];
}

function prefetches(counts: ManagedCounts): string[] {
  const { bytesPrefetched, bytesPrefetchedUsed, bytesPrefetchedUnused, notifications } = counts;
  const shares = [bytesPrefetchedUsed, bytesPrefetchedUnused].map((part) => percent(part, bytesPrefetched));
  const fate = `${shares[0]} used, ${shares[1]} left the device without a use`;
  return [
    row("prefetched", bytes(bytesPrefetched), bytesPrefetched === 0 ? "" : fate),
    ...(notifications === 0 ? [] : [row("access counters", notifications, "notifications that migrated")]),
  ];
}

function transfers({ transfers: all }: ManagedReport): string[] {
  return all.map(({ direction, cause, count: n, bytes: size, sizes }) => {
    const shown = sizes.map((one) => `${count(one.count)} × ${bytes(one.bytes)}`);
    const most = shown.length > 6 ? [...shown.slice(0, 6), "…"] : shown;
    return row(
      `${DIRECTIONS[direction]}, ${cause}`,
      bytes(size),
      `${plural(n, "transfer")}: ${most.join(", ")}`,
    );
  });
}

function spread({ schedules, spread: by }: ManagedReport): string[] {
  if (schedules === 1) return [];
  const lines = SPREAD.map((key) => {
    const { least, median, most } = by[key];
    const shown = [least, median, most].map((value) =>
      key.startsWith("bytes") ? bytes(value) : count(value),
    );
    return row(key, shown[1], `from ${shown[0]} to ${shown[2]}`);
  });
  return [`Over ${plural(schedules, "order")} of warps`, ...lines];
}

/** Returns the blocks of lines about managed memory. */
export function managedBlocks(counts: ManagedCounts, report: ManagedReport): string[][] {
  return [[...faults(counts), ...prefetches(counts), ...transfers(report)], spread(report)].filter(
    (block) => block.length > 0,
  );
}
