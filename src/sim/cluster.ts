/** Pages move in clusters: aligned ranges of 64 KiB, the unit in which GPUs' drivers like to move memory. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import { roundDown } from "../engine/errors.ts";

export const CLUSTER_SIZE = 0x10000;
export const CLUSTER_PAGES = CLUSTER_SIZE / PAGE_SIZE;

/** The part of the cluster around `addr` that lies in a mapping. */
export function clusterOf(addr: number, vma: { start: number; end: number }): { start: number; end: number } {
  const start = roundDown(addr, CLUSTER_SIZE);
  return { start: Math.max(start, vma.start), end: Math.min(start + CLUSTER_SIZE, vma.end) };
}
