/**
 * Clusters: aligned ranges in which the simulated device moves memory: 64 KiB, as drivers of GPUs do, or a
 * page.
 */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { roundDown } from "../engine/errors.ts";

export const CLUSTER_SIZE = 0x10000;
export const CLUSTER_PAGES = CLUSTER_SIZE / PAGE_SIZE;

/**
 * Returns the part of the cluster of `size` bytes around `addr` that lies in `vma`, which contains `addr`.
 */
export function clusterOf(
  addr: number,
  vma: { start: number; end: number },
  size: number,
): { start: number; end: number } {
  const start = roundDown(addr, size);
  return { start: Math.max(start, vma.start), end: Math.min(start + size, vma.end) };
}

/** The most bytes that move at once. */
const RUN_BYTES = 2 << 20;

/**
 * Returns units of `size` bytes in ascending order, by runs of neighbors of at most 2 MiB.
 */
export function runsOf(units: readonly number[], size: number): number[][] {
  const runs: number[][] = [];
  const most = RUN_BYTES / size;
  for (const unit of [...units].sort((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run !== undefined && run.length < most && run[run.length - 1] === unit - 1) run.push(unit);
    else runs.push([unit]);
  }
  return runs;
}
