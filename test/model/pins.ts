/** Pins of the reference model, short and long-term. */
import { blockOf, HugeZero } from "./huge.ts";
import { leaveDevice } from "./migrate.ts";
import type { Mm } from "./mm.ts";
import { EBUS, EBUSY, EFAULT, EINVAL, Page, R, RAM, W } from "./page.ts";
import { HUGETLB, PFN, SHARED, type Vma } from "./vma.ts";

/** get_user_pages' check of a page: 0 or -EFAULT. `force` overrides permissions of private memory. */
export function refuses(vma: Vma | undefined, write: boolean, force: boolean): number {
  if (!vma || vma.flags & PFN) return -EFAULT;
  // Even a forced write cannot override the protection of these mappings.
  if (vma.flags & HUGETLB && write && !(vma.flags & W)) return -EFAULT;
  if (force ? write && vma.flags & SHARED && !(vma.flags & W) : !(vma.flags & (write ? W : R)))
    return -EFAULT;
  return 0;
}

/** Pins page by page up to the first failure. Returns the count, or the error if the count is 0. */
export function pin(mm: Mm, a: number, n: number, write = false, long = false): number {
  if (n === 0) return -EINVAL;
  for (let i = 0; i < n; i++) {
    const error = mm.getPage(a + i, write, false, false, long);
    if (error) return i || (error === -EBUS ? -EFAULT : error);
    const page = mm.entries.get(a + i)!.page ?? mm.huge.get(blockOf(a + i)) ?? null;
    if (page) page.pins++;
    if (long && page instanceof Page) page.longPins++;
    mm.hasPinned ||= long;
    mm.pinned.push(page);
    mm.longPins.push(long);
  }
  return n;
}

/** A long-term pin: coherent device pages go to RAM first, wherever mapped. One that stays is an error. */
export function pinForLong(mm: Mm, a: number, n: number, write: boolean): number {
  const before = mm.pinned.length;
  for (;;) {
    const count = mm.pin(a, n, write, true);
    const pages = new Set(mm.pinned.slice(before));
    const away = [...pages].filter((page) => page instanceof Page && page.place !== RAM);
    if (away.length === 0) return count;
    mm.unpin(before);
    for (const page of away) if (leaveDevice(mm.world, [page as Page]).finish().count === 0) return -EBUSY;
  }
}

/** The recorder's lpin: pins all of n pages for long, as one set, or none. */
export function pinSet(mm: Mm, a: number, n: number, write: boolean): number {
  if (mm.longSet) return -EINVAL;
  const before = mm.pinned.length;
  const count = mm.pinForLong(a, n, write);
  if (count !== n) {
    mm.unpin(before);
    return count < 0 ? count : -EFAULT;
  }
  mm.longPins.splice(before);
  mm.longSet = mm.pinned.splice(before);
  return 0;
}

export function unpinSet(mm: Mm): void {
  const before = mm.pinned.length;
  for (const page of mm.longSet ?? []) {
    mm.pinned.push(page);
    mm.longPins.push(true);
  }
  mm.longSet = null;
  mm.unpin(before);
}

/** Releases all pins, or all but the first. */
export function unpin(mm: Mm, keep = 0): number {
  const ended = mm.pinned.splice(keep);
  const long = mm.longPins.splice(keep);
  for (const [i, page] of ended.entries()) {
    if (!page) continue;
    page.pins--;
    if (long[i] && page instanceof Page) page.longPins--;
    if (page instanceof HugeZero) page.release();
    else mm.world.release(page);
  }
  return ended.length;
}
