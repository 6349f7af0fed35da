/** Steps of drivers: migrations, pins, exclusive access, the device's own accesses. */
import * as assert from "uvu/assert";
import {
  HMM_PFN_REQ_FAULT,
  HMM_PFN_REQ_WRITE,
  hmmPfnValid,
  hmmPfnWritable,
  hmmRangeFault,
  makeDeviceExclusive,
  MIGRATE_PFN_COMPOUND,
  MIGRATE_PFN_VALID,
  MIGRATE_VMA_SELECT_COMPOUND,
  MIGRATE_VMA_SELECT_DEVICE_PRIVATE,
  MIGRATE_VMA_SELECT_SYSTEM,
  migrateDeviceRange,
  migratePfn,
  migratePfnToPage,
  migrateVmaSetup,
  PROT_READ,
  PROT_WRITE,
  type Migration,
} from "../../../../src/index.ts";
import { PAGES } from "../../../util/huge.ts";
import type { Operation, Step } from "./step.ts";
import { at, type Gpu, letGo, mapNew, type Process, RW, wordAt } from "./world.ts";

const SYSTEM = MIGRATE_VMA_SELECT_SYSTEM;
const PRIVATE = MIGRATE_VMA_SELECT_DEVICE_PRIVATE;
const COMPOUND = MIGRATE_VMA_SELECT_COMPOUND;

/** Fills in destinations as drivers do: all, some, none, or small pages for a huge page. */
function giveDestinations(step: Step, m: Migration, gpu: Gpu | null): void {
  const { hmm } = step.world;
  const home = gpu === null ? hmm : gpu.devmem;
  const how = step.random.pick(["", "", "", "", ", some kept", ", small", ", none"])!;
  step.text += how;
  if (how === ", none") return;
  for (let i = 0; i < m.npages && how === ", small"; i++) {
    if ((m.src[i] & MIGRATE_PFN_COMPOUND) === 0) continue;
    for (let j = i; j < i + PAGES; j++) {
      const page = step.chance(100) ? 0 : home.allocPage();
      if (page !== 0) m.dst[j] = migratePfn(page);
    }
    i += PAGES - 1;
  }
  if (how !== ", small") home.allocPages(m.src, m.dst);
  for (let i = 0; i < m.npages && how === ", some kept"; i++) {
    if ((m.dst[i] & MIGRATE_PFN_VALID) === 0 || !step.chance(3)) continue;
    letGo(hmm, migratePfnToPage(m.dst[i]), (m.dst[i] & MIGRATE_PFN_COMPOUND) === 0 ? 1 : PAGES);
    m.dst[i] = 0;
  }
}

function runPages(process: Process, m: Migration): void {
  m.pages();
  process.table.mapMigrated(m);
}

export const migrate: Operation = (step) => {
  const { world, random } = step;
  const process = step.writable();
  if (process === undefined) return;
  const [page, some] = step.range(process);
  const vma = process.mm.findVma(at(page));
  if (vma === null || vma.start > at(page)) return;
  const n = Math.min(some, (vma.end - at(page)) / 4096);
  const gpu = random.pick(world.gpus)!;
  const select = random.pick([SYSTEM, SYSTEM, PRIVATE, SYSTEM | PRIVATE])! | (step.chance(3) ? 0 : COMPOUND);
  const target = (select & SYSTEM) !== 0 ? gpu : null;
  step.say(`migrate ${select} to ${target?.name ?? "system"} from ${gpu.name}`, process, page, n);
  const sem = process.mm.mmapSem.read();
  const m = migrateVmaSetup({ vma, start: at(page), end: at(page + n), owner: gpu, select });
  if (step.chance(6)) world.hmm.failAllocation(1 + random.below(600));
  giveDestinations(step, m, target);
  world.hmm.failAllocation(0);
  world.hmm.copyPages(m.src, m.dst);
  const stage = random.below(8);
  if (stage > 1) runPages(process, m);
  if (stage > 1) sem.close();
  if (stage > 3) return m.finalize();
  step.text += [", open before pages, given up", ", open before pages", ", open", ", open"][stage];
  const end = (): void => {
    if (stage === 1) runPages(process, m);
    m.finalize();
    sem.close();
  };
  world.open.push({ what: step.text, process, holds: stage < 2, close: end });
};

/** Moves a new huge page to the device as one. */
export const lodge: Operation = (step) => {
  const { world, random } = step;
  const process = step.writable();
  if (process === undefined) return;
  const page = random.below(4) * PAGES;
  step.say("lodge", process, page, PAGES);
  mapNew(process, page, PAGES, RW, true);
  const word = random.next();
  if (world.attempt(() => process.mm.store32(wordAt(page), word), true)) process.words[page] = word;
  const [gpu] = world.gpus;
  using _sem = process.mm.mmapSem.read();
  const range = { vma: process.mm.findVma(at(page)), start: at(page), end: at(page + PAGES) };
  using m = migrateVmaSetup({ ...range, owner: gpu, select: SYSTEM | COMPOUND });
  gpu.devmem.allocPages(m.src, m.dst);
  world.hmm.copyPages(m.src, m.dst);
  runPages(process, m);
};

export const pin: Operation = (step) => {
  const { world } = step;
  const process = step.process();
  const [page, some] = step.range(process);
  const n = Math.min(some, step.chance(4) ? 300 : 2);
  const forWrite = step.chance(2);
  step.say(forWrite ? "pin for write" : "pin", process, page, n);
  const expected = process.allows(page, 1, forWrite ? RW : PROT_READ);
  world.attempt(() => {
    const pinned = process.mm.pin(at(page), n, { write: forWrite });
    world.open.push({ what: "pin", process, holds: false, close: () => pinned.close() });
  }, expected);
};

export const exclusive: Operation = (step) => {
  const { world } = step;
  const process = step.process();
  const [page, some] = step.range(process);
  const n = Math.min(some, step.chance(2) ? 2 : PAGES);
  const keep = step.chance(3);
  step.say(`exclusive${keep ? ", open" : ""}`, process, page, n);
  using _sem = process.mm.mmapSem.read();
  world.attempt(
    () => {
      const lent = makeDeviceExclusive(process.mm, at(page), n, world.gpus[0]);
      if (!keep) return lent.close();
      world.open.push({ what: "exclusive", process, holds: false, close: () => lent.close() });
    },
    process.allows(page, 1, RW),
  );
};

/** The device reads through its own table, and writes where the table allows. */
export const device: Operation = (step) => {
  const { world, random } = step;
  const process = step.process();
  const [page, n] = step.range(process);
  const flags = random.pick([0, HMM_PFN_REQ_FAULT, (HMM_PFN_REQ_FAULT | HMM_PFN_REQ_WRITE) >>> 0])!;
  step.say(`device ${(flags >>> 0).toString(16)}`, process, page, n);
  const pfns = new Uint32Array(n);
  using _sem = process.mm.mmapSem.read();
  const range = { mm: process.mm, start: at(page), end: at(page + n), pfns, defaultFlags: flags };
  let ret = 0;
  const run = (): void => void (ret = hmmRangeFault({ ...range, owner: random.pick(world.gpus) }));
  if (!world.attempt(run, "maybe", [])) return;
  const needed = flags === 0 ? 0 : (flags & HMM_PFN_REQ_WRITE) === 0 ? PROT_READ : PROT_READ | PROT_WRITE;
  if (needed === 0 || (process.allows(page, n, needed) && !world.short)) assert.is(ret, 0);
  if (ret !== 0) return;
  if (!world.attempt(() => process.table.map(at(page), pfns), true)) return;
  const bytes = new Uint32Array(1);
  for (let i = 0; i < n; i++) {
    if (!hmmPfnValid(pfns[i])) continue;
    assert.is(process.table.read(wordAt(page + i), new Uint8Array(bytes.buffer)), 4);
    assert.is(bytes[0], process.words[page + i], `the device reads page ${page + i}`);
    if (!hmmPfnWritable(pfns[i]) || !step.chance(8)) continue;
    bytes[0] = random.next();
    assert.is(process.table.write(wordAt(page + i), new Uint8Array(bytes.buffer)), 4);
    process.words[page + i] = bytes[0];
  }
};

export const evict: Operation = (step) => {
  const { world, random } = step;
  const { devmem, name } = random.pick(world.gpus)!;
  const first = devmem.pfnFirst + random.below(devmem.npages);
  const n = 1 + random.below(devmem.pfnEnd - first);
  step.text = `evict ${name}: ${first - devmem.pfnFirst}+${n}`;
  using m = migrateDeviceRange(devmem, first, n);
  giveDestinations(step, m, null);
  world.hmm.copyPages(m.src, m.dst);
  if (!step.chance(6)) m.pages();
};

export const spoil: Operation = (step) => {
  const gpu = step.random.pick(step.world.gpus)!;
  step.text = `spoil ${gpu.name}`;
  if (gpu.spoiler === 0) gpu.spoiler = gpu.devmem.allocPage();
  else {
    letGo(step.world.hmm, gpu.spoiler, 1);
    gpu.spoiler = 0;
  }
};
