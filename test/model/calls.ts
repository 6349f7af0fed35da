/** System calls of the reference model on the mappings of a process. Each returns 0 or a negative errno. */
import { ModelFile } from "./file.ts";
import {
  EACCES,
  EAGAIN,
  EINVAL,
  ENOMEM,
  HUGE_PAGES,
  PAGE,
  present,
  RAM,
  RWX,
  W,
  type Entry,
} from "./page.ts";
import { collapse } from "./collapse.ts";
import { splitParts } from "./huge.ts";
import { cuts, hugeEnd, hugeStart, promised } from "./hugetlb.ts";
import { breakUp } from "./ksm.ts";
import type { Mm } from "./mm.ts";
import { munmap } from "./munmap.ts";
import { populate, populateLocked } from "./populate.ts";
import { leaveSwapCache, pageOut, swapAhead } from "./swap.ts";
import {
  ACCOUNT,
  DONTFORK,
  HUGE,
  HUGETLB,
  LOCKED,
  MERGEABLE,
  MIXED,
  NOHUGE,
  PFN,
  RANDOM,
  SEQUENTIAL,
  SHARED,
  SPECIAL,
  UFFD,
  type Vma,
  WIPEONFORK,
} from "./vma.ts";

/** The backing of a mapping: private or shared memory, a file from some page on, or a driver's memory. */
export interface Mapped {
  kind: "anon" | "sanon" | "shared" | "private" | "mixed" | "pfn" | "hugetlb";
  file?: ModelFile;
  pgoff?: number;
  /** Whether a driver's mapping is private. */
  copied?: boolean;
}

export function mmap(mm: Mm, a: number, n: number, prot: number, what: Mapped, populated = false): number {
  if (n === 0) return -EINVAL;
  if (what.kind === "hugetlb") return mapHuge(mm, a, hugeEnd(n), prot, populated);
  const cut = munmap(mm, a, n);
  if (cut) return cut;
  if (what.kind === "mixed" || what.kind === "pfn") return mapSpecial(mm, a, n, prot, what);
  const shared = what.kind === "sanon" || what.kind === "shared";
  const file = what.kind === "sanon" ? new ModelFile(mm.world, "shm", n * PAGE) : (what.file ?? null);
  const pgoff = what.kind === "sanon" ? 0 : (what.pgoff ?? a);
  mm.vmas.map(a, a + n, prot | (shared ? SHARED : 0), file, pgoff);
  if (what.kind === "sanon") file!.close();
  if (populated) populateLocked(mm, a, a + n);
  return 0;
}

/** Maps whole blocks, at most as many as the pool can still reserve. */
function mapHuge(mm: Mm, a: number, n: number, prot: number, populated: boolean): number {
  if (a % HUGE_PAGES) return -EINVAL;
  if (n / HUGE_PAGES + promised(mm.world) > mm.world.hugeFree) return -ENOMEM;
  const cut = munmap(mm, a, n);
  if (cut) return cut;
  mm.vmas.map(a, a + n, prot | HUGETLB, null);
  if (populated) populateLocked(mm, a, a + n);
  return 0;
}

/** Maps a driver's memory with all its entries at once, or none if memory runs out. */
function mapSpecial(mm: Mm, a: number, n: number, prot: number, { kind, copied }: Mapped): number {
  const flags = prot | (kind === "mixed" ? MIXED : PFN) | (copied ? 0 : SHARED);
  const vma = mm.vmas.map(a, a + n, flags, null);
  for (let pn = a; pn < a + n; pn++) {
    let entry: Entry = { page: null, write: false, raw: true };
    if (kind === "mixed") {
      const page = mm.world.newPage("file", null, 0, false);
      if (!page) {
        mm.zap(a, a + n);
        mm.vmas.remove(vma);
        return -ENOMEM;
      }
      page.exclusive = false;
      entry = { page, write: !copied && (prot & W) !== 0 };
    }
    mm.setEntry(pn, entry);
  }
  return 0;
}

/** Runs `change` on each piece of a vma in [a, b), up to the first hole. */
function pieces(
  mm: Mm,
  a: number,
  b: number,
  change: (vma: Vma, from: number, to: number) => number,
): number {
  for (let at = a; at < b;) {
    const vma = mm.vmas.find(at);
    if (!vma) return -ENOMEM;
    const to = Math.min(b, vma.end);
    const error = change(vma, at, to);
    if (error) return error;
    at = to;
  }
  return 0;
}

export function mprotect(mm: Mm, a: number, n: number, prot: number): number {
  mm.protecting = prot;
  return pieces(mm, a, a + n, (vma, from, to) => {
    let flags = (vma.flags & ~RWX) | prot;
    if (flags === vma.flags) return 0;
    if (cuts(vma, from) || cuts(vma, to)) return -EINVAL;
    if (prot & W && !(flags & SHARED)) flags |= ACCOUNT;
    else if (!(prot & W) && vma.anonymous && !vma.anon) flags &= ~ACCOUNT;
    const fill = (vma.flags & (LOCKED | W | SHARED)) === LOCKED && (prot & W) !== 0;
    mm.vmas.modify(vma, from, to, flags);
    if (mm.tables.has(from >> 18)) mm.world.notify(mm, "prot_vma", from, to);
    for (let pn = from; pn < to; pn++) {
      const entry = mm.entries.get(pn);
      if (entry) entry.write = (prot & W) !== 0 && present(entry) && mayWrite(entry, flags);
    }
    if (fill) populateLocked(mm, from, to);
    return 0;
  });
}

/** Whether the first write through this entry needs no fault. */
function mayWrite({ page, dirty }: Entry, flags: number): boolean {
  // A hugetlb mapping gets its write bit back only by a fault.
  if (!page || flags & HUGETLB) return false;
  return flags & SHARED ? page.kind === "shmem" || dirty === true : page.exclusive;
}

// --- locked memory -----------------------------------------------------------------------------

export function mlock(mm: Mm, a: number, n: number): number {
  const error = setLocked(mm, a, n, LOCKED);
  if (error) return error;
  const failed = populateLocked(mm, a, a + n);
  return failed === -ENOMEM || failed === -EAGAIN ? -EAGAIN : failed === 0 ? 0 : -ENOMEM;
}

export function munlock(mm: Mm, a: number, n: number): number {
  return setLocked(mm, a, n, 0);
}

function setLocked(mm: Mm, a: number, n: number, locked: number): number {
  return pieces(mm, a, a + n, (vma, from, to) => {
    const flags = (vma.flags & ~LOCKED) | locked;
    if (flags === vma.flags || flags & SPECIAL) return 0;
    mm.vmas.modify(vma, from, to, flags);
    mm.world.drain();
    return 0;
  });
}

// --- advice ------------------------------------------------------------------------------------

export function madvise(mm: Mm, a: number, n: number, advice: string): number {
  const b = a + n;
  if (advice.startsWith("populate")) return populate(mm, a, b, advice === "populate_write");
  let result = 0;
  for (let at = a; at < b;) {
    const vma = mm.vmas.list.find((v) => v.end > at);
    if (!vma) return -ENOMEM;
    if (vma.start > at) result = -ENOMEM;
    at = Math.max(at, vma.start);
    const to = Math.min(vma.end, b);
    if (at >= b) break;
    const error = advise(mm, vma, at, to, advice);
    if (error) return error;
    at = to;
  }
  return result;
}

/** MADV_DONTNEED, MADV_FREE. */
function drop(mm: Mm, vma: Vma, a: number, b: number, lazily: boolean): number {
  if (vma.flags & (LOCKED | PFN) || (lazily && !vma.anonymous)) return -EINVAL;
  if (vma.flags & HUGETLB) {
    // Only whole blocks; a block in which the range ends stays.
    if (cuts(vma, a)) return -EINVAL;
    b = hugeStart(b);
    if (b <= a) return 0;
  }
  mm.world.drain();
  mm.world.notify(mm, "clear", a, b);
  if (!lazily) {
    mm.zap(a, b);
    // 7.3 frees the page tables of whole blocks.
    if (mm.world.newer) mm.freeTables(a, b);
  } else {
    splitParts(mm, a, b, false);
    for (let pn = a; pn < b; pn++) {
      const entry = mm.entries.get(pn);
      if (entry?.slot) mm.dropEntry(pn);
      else if (entry && present(entry) && (!mm.world.newer || giveUp(mm, entry))) entry.dirty = false;
    }
  }
  return 0;
}

/**
 * MADV_FREE of a page in 7.3: one that others map, too, or that a migration has, is left alone. Only pages in
 * RAM get the mark.
 */
function giveUp(mm: Mm, { page }: Entry): boolean {
  if (!page || page.kind !== "anon") return true;
  if (page.slot || page.dirty) {
    if (page.locked || page.maps !== 1 || !leaveSwapCache(mm.world, page)) return false;
    page.dirty = false;
  }
  if (page.place === RAM) page.givenUp = true;
  return true;
}

function advise(mm: Mm, vma: Vma, a: number, b: number, advice: string): number {
  const flag = (set: number, clear: number): number => {
    const flags = (vma.flags & ~clear) | set;
    if (flags === vma.flags) return 0;
    if (cuts(vma, a) || cuts(vma, b)) return -EINVAL;
    mm.vmas.modify(vma, a, b, flags);
    return 0;
  };
  switch (advice) {
    case "dontneed":
    case "free":
      return drop(mm, vma, a, b, advice === "free");
    case "cold":
      if (vma.flags & (LOCKED | PFN | HUGETLB)) return -EINVAL;
      mm.world.drain();
      splitParts(mm, a, b, false);
      return 0;
    case "pageout":
      return pageOut(mm, vma, a, b);
    case "willneed":
      swapAhead(mm, a, b);
      return 0;
    case "remove":
      if (vma.flags & LOCKED || !vma.file) return -EINVAL;
      if (!(vma.flags & SHARED)) return -EACCES;
      return vma.file.punch(vma.offset(a) * PAGE, (b - a) * PAGE);
    case "normal":
      return flag(0, SEQUENTIAL | RANDOM);
    case "mergeable":
      if (vma.flags & (SHARED | SPECIAL)) return 0;
      mm.world.ksm.enter(mm);
      return flag(MERGEABLE, 0);
    case "unmergeable": {
      const failed = vma.flags & MERGEABLE ? breakUp(mm, vma, a, b) : 0;
      return failed || flag(0, MERGEABLE);
    }
    case "sequential":
      return flag(SEQUENTIAL, RANDOM);
    case "random":
      return flag(RANDOM, SEQUENTIAL);
    case "dontfork":
      return flag(DONTFORK, 0);
    case "dofork":
      return vma.flags & PFN ? -EINVAL : flag(0, DONTFORK);
    case "wipeonfork":
      return vma.anonymous ? flag(WIPEONFORK, 0) : -EINVAL;
    case "keeponfork":
      return flag(0, WIPEONFORK);
    case "hugepage":
      return flag(HUGE, NOHUGE);
    case "nohugepage":
      return flag(NOHUGE, HUGE);
    case "collapse":
      return collapse(mm, vma, a, b);
    default:
      return -EINVAL;
  }
}

/** Returns a byte for each page, or a negative errno. */
export function mincore(mm: Mm, a: number, n: number): number[] | number {
  const vec: number[] = [];
  for (let pn = a; pn < a + n; pn++) {
    const vma = mm.vmas.find(pn);
    if (!vma) return -ENOMEM;
    const entry = mm.entries.get(pn);
    const swapped = entry?.slot;
    const here = swapped ? swapped.page !== null : entry !== undefined;
    vec.push(here || vma.file?.pages.has(vma.offset(pn)) ? 1 : 0);
  }
  return vec;
}

/** Writes back what is mapped; ENOMEM if the range has holes. */
export function msync(mm: Mm, a: number, n: number): number {
  let mapped = 0;
  for (const vma of mm.vmas.within(a, a + n)) {
    const from = Math.max(a, vma.start);
    const to = Math.min(a + n, vma.end);
    mapped += to - from;
    if (!vma.file || !(vma.flags & SHARED)) continue;
    const error = vma.file.writeBack(vma.offset(from), vma.offset(to));
    if (error) return error;
  }
  return mapped === n ? 0 : -ENOMEM;
}

/** Registers userfaultfd for missing pages, or unregisters it. */
export function uffd(mm: Mm, a: number, n: number, on: boolean): number {
  if (n === 0) return -EINVAL;
  if (pieces(mm, a, a + n, (vma) => (vma.anonymous ? 0 : -EINVAL))) return -EINVAL;
  return pieces(mm, a, a + n, (vma, from, to) => {
    const flags = on ? vma.flags | UFFD : vma.flags & ~UFFD;
    if (flags !== vma.flags) mm.vmas.modify(vma, from, to, flags);
    return 0;
  });
}
