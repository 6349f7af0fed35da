/** The calls of 2018 on the address space that a mirror mirrors: tracked snapshots, and migrate_vma. */
import { EAGAIN, EBUSY, EINVAL, EPERM, R, type Event } from "./page.ts";
import { moveInRam, toDevice } from "./migrate.ts";
import { rangeFault } from "./range-fault.ts";
import type { Mirror } from "./mirror.ts";
import type { Mm } from "./mm.ts";
import { SPECIAL } from "./vma.ts";

/** Limit of walks that an invalidation from within restarts. */
const WALKS = 8;

/** The answer of a call: the slots on success, else the first slot with an error, or -1. */
export interface Looked {
  ret: number;
  snap?: number[];
  at?: number;
}

/** The tracked result of a call over [a, b), until hmm_vma_range_done. */
export interface Tracked {
  a: number;
  b: number;
  slots: number[];
  valid: boolean;
}

/** Invalidates [from, to) in a tracked range. */
export function invalidateTracked(range: Tracked | null, [, from, to]: Event): void {
  if (!range || to <= range.a || from >= range.b) return;
  range.valid = false;
  range.slots.fill(0, Math.max(from, range.a) - range.a, Math.min(to, range.b) - range.a);
}

/**
 * hmm_vma_get_pfns, or with a `mode` hmm_vma_fault: 1 for reading, 2 for writing. The range is tracked if it
 * is 0.
 */
export function look(mirror: Mirror, mirrored: boolean, a: number, n: number, mode: number): Looked {
  const { mm, device } = mirror;
  const vma = mm?.vmas.find(a);
  if (!mm || !vma || n === 0 || a + n > vma.end) return { ret: -EINVAL, at: -1 };
  if (vma.flags & SPECIAL) return { ret: -EINVAL, at: 0 };
  if (!mirrored) return { ret: -EINVAL, at: -1 };
  if (!(vma.flags & R)) return { ret: -EPERM, at: -1 };
  const range: Tracked = { a, b: a + n, slots: [], valid: true };
  mirror.tracked = range;
  const where = { pn: a };
  let error = 0;
  for (let i = 0; i < WALKS; i++) {
    range.valid = true;
    error = mode ? rangeFault(mm, device, a, a + n, mode === 2, () => false, where) : 0;
    if (error === 0 && !range.valid) error = -EBUSY;
    if (error !== -EBUSY) break;
  }
  if (error === 0) {
    range.slots = mirror.snapshot(a, n).snap!;
    return { ret: 0, snap: range.slots };
  }
  mirror.tracked = null;
  return error === -EAGAIN || error === -EBUSY ? { ret: -EBUSY } : { ret: error, at: where.pn - a };
}

/** hmm_vma_range_done. */
export function rangeDone(mirror: Mirror): { valid: boolean; snap: number[] } {
  const { valid, slots } = mirror.tracked!;
  mirror.tracked = null;
  return { valid, snap: slots };
}

/** migrate_vma to a mirror's device or (null) to other pages of RAM. It needs no VM_READ. */
export function migrateVma(
  mm: Mm | null,
  a: number,
  n: number,
  mirror: Mirror | null,
): Record<string, number> {
  const vma = mm?.vmas.find(a);
  if (!mm || !vma || vma.flags & SPECIAL || n === 0 || a + n > vma.end)
    return { ret: -EINVAL, cpages: 0, moved: 0 };
  const migration = mirror ? toDevice(mm, a, a + n, mirror.device, mirror, false) : moveInRam(mm, a, a + n);
  const { moved, count } = migration.finish();
  if (mirror) mirror.map(mm, moved);
  return { ret: 0, cpages: migration.candidates, moved: count };
}

/** mm.translate: 0, or 1 readable, 2 writable. */
export function translate(mm: Mm, a: number, n: number): number[] {
  return Array.from({ length: n }, (_, i) => {
    const entry = mm.entries.get(a + i);
    return mm.allows(a + i, false) ? (entry!.write ? 2 : 1) : 0;
  });
}
