/** Clusters: aligned ranges of 64 KiB, in which the simulated device moves memory, as drivers of GPUs do. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { roundDown } from "../engine/errors.ts";

export const CLUSTER_SIZE = 0x10000;
export const CLUSTER_PAGES = CLUSTER_SIZE / PAGE_SIZE;

/** Returns the part of the cluster around `addr` that lies in `vma`, which contains `addr`. */
export function clusterOf(addr: number, vma: { start: number; end: number }): { start: number; end: number } {
  const start = roundDown(addr, CLUSTER_SIZE);
  return { start: Math.max(start, vma.start), end: Math.min(start + CLUSTER_SIZE, vma.end) };
}
