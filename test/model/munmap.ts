/** munmap of the reference model. */
import { blocksOf } from "./huge.ts";
import { cuts } from "./hugetlb.ts";
import type { Mm } from "./mm.ts";
import { EINVAL, HUGE_PAGES } from "./page.ts";
import { LOCKED } from "./vma.ts";

export function munmap(mm: Mm, a: number, n: number): number {
  const { vmas, tables } = mm;
  const b = a + n;
  if (n === 0) return -EINVAL;
  if (vmas.within(a, b).length === 0) return 0;
  for (const vma of vmas.within(a, b)) {
    if (vma.start < a) {
      if (cuts(vma, a)) return -EINVAL;
      vmas.split(vma, a, true);
    }
    if (vma.end > b) {
      if (cuts(vma, b)) return -EINVAL;
      vmas.split(vma, b, false);
    }
  }
  mm.world.drain();
  mm.world.notify(mm, "unmap", a, b);
  for (const vma of vmas.within(a, b)) {
    for (let pn = vma.start; pn < vma.end && mm.world.newer && vma.flags & LOCKED; pn++) {
      const page = mm.entries.get(pn)?.page;
      if (page && !page.locked) mm.world.unlock(page);
    }
    mm.zap(vma.start, vma.end);
  }
  for (const vma of vmas.within(a, b)) vmas.remove(vma);
  for (let g = a >> 18; g <= (b - 1) >> 18; g++)
    if (vmas.within(g << 18, (g + 1) << 18).length === 0) tables.delete(g);
  for (const [block] of blocksOf(a, b))
    if (vmas.within(block * HUGE_PAGES, (block + 1) * HUGE_PAGES).length === 0) mm.leaves.delete(block);
  return 0;
}
