/** Bounds beside a report: what a policy that knows the future would bring in. */
import { PAGE_SIZE } from "../../assembly/uapi/page.ts";
import type { PagingSettings } from "./paging-config.ts";
import { opt } from "./policies/evict/opt.ts";
import { Paging } from "./policies/paging.ts";
import type { References } from "./policies/references.ts";
import type { BoundReport } from "./report.ts";

/** Returns how many units OPT brings in for these accesses with room for `capacity` of them. */
export function optMisses(references: References, capacity: number): number {
  const paging = new Paging(opt, { capacity, future: references });
  for (let i = 0; i < references.length; i++) paging.access(references.unitAt(i));
  return paging.counts.in;
}

/** Returns the bounds for the accesses so far: whole clusters, each brought in when it is accessed. */
export function boundOf(references: References, { deviceMemory, cluster }: PagingSettings): BoundReport {
  const units = optMisses(references, Math.floor(deviceMemory / cluster));
  return { opt: { pagesIn: (units * cluster) / PAGE_SIZE } };
}
