/** Pins of the reference model, for long or not. */
import { blockOf, HugeZero } from "./huge.ts";
import { leaveDevice } from "./migrate.ts";
import type { Mm } from "./mm.ts";
import { EBUS, EBUSY, EFAULT, EINVAL, Page, RAM } from "./page.ts";

/** Pins a page a time and stops at the first that it cannot get: the count, or the error if there is none. */
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

/** Pages on coherent devices have to go to RAM first, wherever they are mapped. One that cannot ends it. */
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

/** Lets all pins go, or all but the first ones. */
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
