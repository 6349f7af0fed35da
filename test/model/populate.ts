/** Populating of the reference model: mlock, MAP_POPULATE, MADV_POPULATE_*. */
import type { Mm } from "./mm.ts";
import { EBUS, EFAULT, EINVAL, ENOMEM, RWX, W } from "./page.ts";
import { refuses } from "./pins.ts";
import { PFN, SHARED, type Vma } from "./vma.ts";

/** Faults pages in up to the first that fails; earlier pages stay. */
export function populateLocked(mm: Mm, a: number, b: number): number {
  const begin = new Begin(a);
  for (let pn = a; pn < b; pn++) {
    const vma = mm.vmas.find(pn)!;
    const { flags } = vma;
    if (flags & PFN) continue;
    const write = (flags & (W | SHARED)) === W;
    const error = begin.get(vma, pn, () => mm.getPage(pn, write, (flags & RWX) !== 0));
    if (error) return error;
  }
  return 0;
}

/**
 * get_user_pages goes as far as it gets, and is called again for the rest: where memory runs out for another
 * page than the first of a call, that page is tried twice.
 */
class Begin {
  constructor(private from: number) {}

  get(vma: Vma, pn: number, getPage: () => number): number {
    if (pn === vma.start) this.from = pn;
    const error = getPage();
    if (error !== -ENOMEM || pn === this.from) return error;
    this.from = pn;
    return getPage();
  }
}

/** MADV_POPULATE_READ or _WRITE of [a, b). */
export function populate(mm: Mm, a: number, b: number, write: boolean): number {
  const begin = new Begin(a);
  for (let pn = a; pn < b; pn++) {
    const vma = mm.vmas.find(pn);
    if (!vma) return -ENOMEM;
    if (refuses(vma, write, false)) return -EINVAL;
    const error = begin.get(vma, pn, () => mm.getPage(pn, write, false));
    if (error) return error === -EBUS ? -EFAULT : error;
  }
  return 0;
}
