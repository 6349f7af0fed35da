/** Faults on behalf of a device of the reference model. */
import type { Mm } from "./mm.ts";
import { EAGAIN, EBUS, EBUSY, EFAULT, EPERM, present, R, W } from "./page.ts";
import { PFN } from "./vma.ts";

/**
 * hmm_range_fault over [a, b) for `device`. Returns 0 if the device can map every page, or -EBUSY if faults
 * were taken and `changed` reports an invalidation. `where` is the page of an error.
 */
export function rangeFault(
  mm: Mm,
  device: number,
  a: number,
  b: number,
  write: boolean,
  changed: () => boolean,
  where = { pn: a },
): number {
  for (let pn = a; pn < b;) {
    where.pn = pn;
    const vma = mm.vmas.find(pn);
    if (!vma || !(vma.flags & R) || vma.flags & PFN) return -EFAULT;
    if (!needsFault(mm, device, pn, write)) {
      pn++;
      continue;
    }
    const there = mm.entries.get(pn);
    // A lent page faults first, and that fault may fail.
    if (there?.page?.locked && !there.lent) return -EAGAIN;
    if (write && !(vma.flags & W)) return -EPERM;
    const end = Math.min(b, vma.end, (pn | 511) + 1);
    for (let at = pn; at < end; at++) {
      const error = mm.fault(vma, at, write);
      where.pn = at;
      if (error) return error === -EBUS ? -EFAULT : error;
    }
    if (changed()) return -EBUSY;
  }
  return 0;
}

function needsFault(mm: Mm, device: number, pn: number, write: boolean): boolean {
  const entry = mm.entries.get(pn);
  const page = entry?.page;
  if (page?.hidden && page.place === device && !page.locked) return false;
  return !present(entry) || (write && !entry!.write);
}
