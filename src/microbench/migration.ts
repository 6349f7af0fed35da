/**
 * Programs of migrations: a buffer of each size to a device and back, as benchmark_thp_migration of the
 * kernel's HMM tests does, from one page on, and with huge pages from 2 MiB on.
 */
import {
  hmmDevmemAdd,
  MADV_HUGEPAGE,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  VM_FAULT_SIGBUS,
  type Hmm,
  type HmmDevmem,
} from "../index.ts";
import {
  closeEngine,
  createEngine,
  expect,
  KIB,
  MIB,
  migrate,
  pagesOf,
  sizeName,
  type Microbenchmark,
  type Work,
} from "./program.ts";

const HUGE = 2 * MIB;
const SIZES = [4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 2 * MIB, 8 * MIB, 32 * MIB, 128 * MIB];
/** Small buffers are many, so that a repetition is long enough for a browser's clock. */
const LEAST = MIB;

type Direction = "to-device" | "to-system";

/** Buffers of `size` bytes, each of which is migrated alone. */
async function migration(size: number, direction: Direction, huge: boolean): Promise<Work> {
  const bytes = Math.max(size, LEAST);
  const hmm = await createEngine(bytes + HUGE);
  const mm = hmm.createMm();
  const mapped = mm.mmap({ length: bytes + HUGE });
  const start = Math.ceil(mapped / HUGE) * HUGE;
  if (huge) mm.madvise(start, bytes, MADV_HUGEPAGE);
  mm.populate(start, bytes);
  const owner = {};
  const devmem = hmmDevmemAdd(hmm, { fault: () => VM_FAULT_SIGBUS }, owner, Math.max(bytes, HUGE));
  const units = huge ? MIGRATE_VMA_SELECT_COMPOUND : 0;
  let moved = 0;
  const move = (to: Hmm | HmmDevmem, select: number): void => {
    moved = 0;
    using _sem = mm.mmapSem.read();
    for (let at = start; at < start + bytes; at += size) {
      moved += migrate({ mm, start: at, end: at + size, to, select: select | units, owner });
    }
  };
  const toDevice = (): void => move(devmem, MIGRATE_VMA_SELECT_SYSTEM);
  const toSystem = (): void => move(hmm, MIGRATE_VMA_SELECT_DEVICE_PRIVATE);
  const there = direction === "to-device";
  if (!there) toDevice();
  return {
    units: pagesOf(bytes),
    bytes,
    // The first repetition finds the buffer where it is; the others bring it back.
    prepare: () => {
      if (devmem.usedPages > 0 === there) (there ? toSystem : toDevice)();
    },
    run: there ? toDevice : toSystem,
    check: () => expect("pages that moved", moved, pagesOf(bytes)),
    close: () => closeEngine(hmm),
  };
}

function program(size: number, direction: Direction, huge: boolean): Microbenchmark {
  const name = sizeName(size);
  const way = direction === "to-device" ? "to a device" : "back to system memory";
  return {
    name: `migrate/${direction}/${huge ? "huge/" : ""}${name}`,
    about: `a buffer of ${name}${huge ? " in huge pages" : ""} migrates ${way}, copies included`,
    unit: "page",
    open: () => migration(size, direction, huge),
  };
}

export const MIGRATION: readonly Microbenchmark[] = (["to-device", "to-system"] as const).flatMap(
  (direction) => [
    ...SIZES.map((size) => program(size, direction, false)),
    ...SIZES.filter((size) => size >= HUGE).map((size) => program(size, direction, true)),
  ],
);
