/** mremap of the reference model. */
import { cuts, hugeEnd } from "./hugetlb.ts";
import { breakUp } from "./ksm.ts";
import type { Mm } from "./mm.ts";
import { munmap } from "./munmap.ts";
import { EFAULT, EINVAL, ENOMEM } from "./page.ts";
import { populateLocked } from "./populate.ts";
import { HUGETLB, LOCKED, PFN, SHARED, UFFD, Vma } from "./vma.ts";

export function mresize(mm: Mm, a: number, n: number, m: number): number {
  if (m === 0) return -EINVAL;
  const vma = mm.vmas.find(a);
  if (!vma) return -EFAULT;
  if (vma.flags & HUGETLB) {
    n = hugeEnd(n);
    m = hugeEnd(m);
    if (cuts(vma, a) || m > n) return -EINVAL;
  }
  if (m < n) return munmap(mm, a + m, n - m);
  if (m === n) return 0;
  // A second mapping of shared memory could not stay in place.
  if (n === 0 && !(vma.flags & SHARED)) return -EINVAL;
  if (n > vma.end - a || vma.flags & PFN) return -EFAULT;
  if (a + n !== vma.end || mm.vmas.within(a + n, a + m).length > 0) return -ENOMEM;
  const { end, flags, anon, file } = vma;
  const pgoff = vma.offset(end);
  if (!mm.vmas.mergeNew({ start: end, end: a + m, flags, pgoff, anon, file })) return -ENOMEM;
  if (flags & LOCKED) populateLocked(mm, end, a + m);
  return 0;
}

/** mremap to a fixed place; `keep` is MREMAP_DONTUNMAP. */
export function mremap(mm: Mm, a: number, n: number, b: number, m: number, keep: boolean): number {
  if (m === 0 || (keep && n !== m)) return -EINVAL;
  if (mm.world.newer) {
    if (a + n > b && b + m > a) return -EINVAL;
    if (n === m) return moveSeveral(mm, a, n, b, keep);
  }
  return moveOne(mm, a, n, b, m, keep);
}

/** 7.3: a range that keeps its length moves mapping by mapping; its holes stay holes. */
function moveSeveral(mm: Mm, a: number, n: number, b: number, keep: boolean): number {
  if (!mm.vmas.find(a)) return -EFAULT;
  const found = mm.vmas.within(a, a + n);
  if (found.some((vma) => vma.flags & HUGETLB && (cuts(vma, a) || cuts(vma, b) || cuts(vma, a + n))))
    return -EINVAL;
  const alone = found.some(({ flags }) => flags & (HUGETLB | UFFD));
  if (alone && (found.length > 1 || found[0].end < a + n)) return -EFAULT;
  for (let at = a; at < a + n;) {
    const [vma] = mm.vmas.within(at, a + n);
    if (!vma) break;
    const from = Math.max(vma.start, at);
    at = Math.min(vma.end, a + n);
    const error = moveOne(mm, from, at - from, b + from - a, at - from, keep);
    if (error) return error;
  }
  return 0;
}

function moveOne(mm: Mm, a: number, n: number, b: number, m: number, keep: boolean): number {
  const moving = mm.vmas.find(a);
  if (!moving) return -EFAULT;
  if (moving.flags & HUGETLB) {
    n = hugeEnd(n);
    m = hugeEnd(m);
    if (cuts(moving, a) || cuts(moving, b) || m > n) return -EINVAL;
  }
  if (a + n > b && b + m > a) return -EINVAL;
  const cut = munmap(mm, b, m) || (n > m ? munmap(mm, a + m, n - m) : 0);
  if (cut) return cut;
  const length = Math.min(n, m);
  const vma = mm.vmas.find(a);
  if (!vma) return -EFAULT;
  if (length === 0 && !(vma.flags & SHARED)) return -EINVAL;
  if (keep && vma.flags & (PFN | HUGETLB)) return -EINVAL;
  if (length > vma.end - a) return -EFAULT;
  if (m > length && vma.flags & PFN) return -EFAULT;
  // KSM knows merged pages by their addresses, so none moves.
  const failed = breakUp(mm, vma, a, a + length);
  if (failed) return failed;
  move(mm, vma, a, length, b, m, keep);
  return 0;
}

/** Moves [a, a + n); with n = 0 the memory, which is shared, is mapped a second time. */
function move(mm: Mm, vma: Vma, a: number, n: number, b: number, m: number, keep: boolean): void {
  const { anon, file } = vma;
  // Memory that moves is unregistered from its userfaultfd.
  const flags = vma.flags & ~UFFD;
  const pgoff = vma.anonymous && !anon ? b : vma.offset(a);
  let target = mm.vmas.mergeNew({ start: b, end: b + m, flags, pgoff, anon, file });
  if (!target) {
    target = mm.vmas.insert(new Vma(mm, b, b + m, flags, pgoff, file));
    target.anon = anon;
    target.cloneChain(vma);
  }
  if (n > 0) {
    mm.world.notify(mm, "unmap", a, a + n);
    mm.moveEntries(a, n, b);
  }
  if (keep) {
    const source = mm.vmas.find(a)!;
    source.flags &= ~LOCKED;
    if (source !== target && source.start === a && source.end === a + n) source.unlink();
  } else if (n > 0) munmap(mm, a, n);
  if (flags & LOCKED && m > n) populateLocked(mm, b + n, b + m);
}
