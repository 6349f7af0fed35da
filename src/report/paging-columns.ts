/** What tables of kernels and of named ranges show beside faults: groups, transfers, prefetch, thrashing. */
import type { DeviceAccesses } from "../sim/counts.ts";
import type { PagingCounts } from "../sim/paging-counts.ts";

/** A part of a run: a kernel, an epoch, a named range. */
type Part = PagingCounts & { accesses: { device: DeviceAccesses } };

/** One column: its heading, its figure, and whether this is a number of bytes. */
export interface PagingColumn {
  title: string;
  of: (part: Part) => number;
  bytes: boolean;
}

const counted = (title: string, of: PagingColumn["of"]): PagingColumn => ({ title, of, bytes: false });
const sized = (title: string, of: PagingColumn["of"]): PagingColumn => ({ title, of, bytes: true });

const COLUMNS: readonly PagingColumn[] = [
  counted("fault groups", ({ groups }) => groups),
  counted("copies in", ({ transfers }) => transfers.toDevice.count),
  sized("copied in", ({ transfers }) => transfers.toDevice.bytes),
  counted("copies out", ({ transfers }) => transfers.toHost.count),
  sized("copied out", ({ transfers }) => transfers.toHost.bytes),
  counted("between devices", ({ transfers }) => transfers.peer.count),
  sized("copied between", ({ transfers }) => transfers.peer.bytes),
  counted("RAM accesses", ({ accesses: { device } }) => device.ram.loads + device.ram.stores),
  counted("link accesses", ({ accesses: { device } }) => device.peer.loads + device.peer.stores),
  sized("prefetched", ({ bytesPrefetched }) => bytesPrefetched),
  sized("used", ({ bytesPrefetchedUsed }) => bytesPrefetchedUsed),
  sized("unused", ({ bytesPrefetchedUnused }) => bytesPrefetchedUnused),
  sized("thrashing", ({ bytesThrashed }) => bytesThrashed),
];

/** Returns the columns that are not 0 for all parts. */
export function pagingColumns(parts: readonly Part[]): PagingColumn[] {
  return COLUMNS.filter(({ of }) => parts.some((part) => of(part) !== 0));
}
